"""The words of reports on face comparison: rates, the scale, images, charts; English and Chinese."""

from __future__ import annotations

COMPARISON_WORDS: dict[str, tuple[str, str]] = {
    "eyebrow": ("Accuracy report · face comparison", "准确率报告 · 人脸比对"),
    "lede": (
        "At score 70, {fm} of {impostors} comparisons of different people passed as one person, and {fnm} of "
        "{genuines} comparisons of one person were refused.",
        "在相似度 70 分处：{impostors} 次不同人比对中有 {fm} 次被误认为同一人，"
        "{genuines} 次同一人比对中有 {fnm} 次被拒绝。",
    ),
    "card_fnmr": ("False non-match rate at 70", "70 分处的误拒率 FNMR"),
    "card_fmr": ("False match rate at 70", "70 分处的误识率 FMR"),
    "card_eer": ("Equal error rate", "等错误率 EER"),
    "card_best": ("Accuracy at its own best threshold", "自选最佳阈值下的准确率"),
    "card_fta": ("Failure to acquire", "采集失败率 FTA"),
    "none_tried": ("no such comparison", "没有此类比对"),
    "at_score": ("at score {score}", "在 {score} 分处"),
    "resolution": (
        "{impostors} comparisons of different people cannot show a false match rate below {bound}: even without any "
        "error, this is the bound.",
        "{impostors} 次不同人比对无法证明低于 {bound} 的误识率：即使一次错误也没有，也只能说到这一步。",
    ),
    "dependent": (
        "Every pair of {images} images of {people} people was compared, so comparisons share people. The intervals "
        "therefore resample people, not comparisons. If there was no error, the bound treats comparisons as "
        "independent, and is too optimistic.",
        "{people} 人的 {images} 张图两两比对，因此许多比对涉及同一个人。区间按“人”重采样而不是按比对。没有出现错误时，"
        "上界把比对当作相互独立，因此偏乐观。",
    ),
    "listed": (
        "The list has {people} people in {images} images. Intervals resample people, not comparisons, and each end is "
        "the more cautious of this and Wilson's interval.",
        "名单含 {people} 人、{images} 张图。区间按“人”重采样而不是按比对，两端各取它与 Wilson 区间中更谨慎的一个。",
    ),
    "scale_ok": (
        "The scale's promise could be tested at {tested} scores, and the data agrees with it at each.",
        "评分标尺的承诺可在 {tested} 个分数上检验，数据与之全部相符。",
    ),
    "scale_bad": (
        "The scale's promise could be tested at {tested} scores, and at {worse} of them more strangers passed than "
        "promised: do not rely on the scale for people like these.",
        "评分标尺的承诺可在 {tested} 个分数上检验，其中 {worse} 个分数上误识多于承诺：对这类人群请勿依赖该标尺。",
    ),
    "scale_small": (
        "The scale's promise could not be tested: this data is too small for the rates that it promises.",
        "评分标尺的承诺无法在此检验：它所说的误识率之低，这批数据的规模还不足以显示。",
    ),
    "several": (
        "{count} images show a second large face; {rule} The server refuses a reference photo with several faces.",
        "{count} 张图中另有明显的第二张脸；{rule}服务器会拒绝含多张人脸的比对照。",
    ),
    "rule_central": ("the one in the middle was used, as the labels mean it.", "按标注惯例取画面中央的一张。"),
    "rule_largest": ("the largest one was used.", "取最大的一张。"),
    "rule_only": ("those images were counted as failures to acquire.", "这些图计为采集失败。"),
    "lost": (
        "{count} comparisons could not be made, because an image gave no face. FMR and FNMR do not include them; FAR "
        "and FRR do.",
        "{count} 次比对因图中无可用人脸而未能进行，不计入 FMR 与 FNMR；FAR 与 FRR 已将其计入。",
    ),
    "contradictions": (
        "{count} pairs are labelled as different people, although other labels say that they are one person: check the "
        "labels.",
        "有 {count} 对被标为不同人，但其他标注把它们归为同一人：请检查标注。",
    ),
    "not_here": (
        "Not measured here: liveness, twins, make-up, ageing beyond the data, and people unlike those in the data. "
        "A photo of the person matches the person: comparison alone stops no attack.",
        "此处未测量：活体检测、双胞胎、化妆、超出数据范围的年龄变化，以及与数据中的人不同的人群。"
        "本人照片与本人必然相似：仅靠比对挡不住任何攻击。",
    ),
    "fig_scores": ("Distribution of scores", "相似度分布"),
    "fig_scores_note": (
        "Each bar is a share of its own side. The further apart the two sides are, the fewer errors a threshold makes.",
        "两类比对各自的占比。两者分得越开，任何阈值下的错误越少。",
    ),
    "fig_rates": ("Errors by threshold", "错误率随阈值的变化"),
    "fig_rates_note": (
        "Bands are 95 % intervals. Where a line ends, there were no more errors, and the band is the bound.",
        "色带为 95% 区间。曲线中断处已没有观察到错误，色带即其上界。",
    ),
    "fig_rates_promise": (" The dotted line is what the scale promises.", "点线为评分标尺的承诺。"),
    "fig_det": ("Detection error trade-off (DET)", "检测错误权衡曲线 DET"),
    "fig_det_note": (
        "Lower left is better. Crosses: scores with their intervals; hollow ones had no error and are on an edge.",
        "越靠左下越好。十字为各分数及其区间；空心者未观察到错误，画在边缘。",
    ),
    "fig_roc": ("Receiver operating characteristic (ROC)", "受试者工作特征曲线 ROC"),
    "fig_roc_note": ("Upper left is better. Area under the curve: {area}.", "越靠左上越好。曲线下面积：{area}。"),
    "genuine": ("same person", "同一人"),
    "impostor": ("different people", "不同人"),
    "axis_cosine": ("cosine of the two embeddings", "两个特征向量的余弦"),
    "axis_score": ("score:", "相似度："),
    "axis_share": ("share of comparisons", "比对占比"),
    "axis_rate": ("error rate", "错误率"),
    "axis_fmr": ("false match rate", "误识率 FMR"),
    "axis_fnmr": ("false non-match rate", "误拒率 FNMR"),
    "axis_tar": ("true match rate (1 − FNMR)", "正确通过率（1 − FNMR）"),
    "promise": ("promised", "标尺承诺"),
    "table": ("Rates by score", "各分数处的错误率"),
    "score": ("Score", "相似度"),
    "cosine": ("Cosine", "余弦"),
    "fmr": ("FMR", "误识率 FMR"),
    "fnmr": ("FNMR", "误拒率 FNMR"),
    "promised": ("Scale promises", "标尺承诺"),
    "agreement": ("Data says", "数据表明"),
    "consistent": ("consistent", "相符"),
    "worse": ("worse", "更差"),
    "better": ("better", "更好"),
    "too_small": ("too small to tell", "规模不足以判断"),
    "no_promise": ("no promise", "无承诺"),
    "scale_source": (
        "The scale turns a cosine into a score. It is based on: {data}. Between its first and its last point "
        "it promises a rate; the accuracy page says how many errors each point is based on.",
        "标尺把余弦换算为相似度，其依据为：{data}。首末两点之间作出承诺；每个点的依据是多少次错误，见准确率页。",
    ),
    "acquisition": ("Images", "图像采集"),
    "images": ("Images", "图像"),
    "people": ("People", "人数"),
    "fta": ("Failure to acquire (FTA)", "采集失败 FTA"),
    "fte": ("Failure to enrol (FTE), by person", "注册失败 FTE（按人）"),
    "far": ("FAR at 70, with failures", "70 分处的 FAR（计入失败）"),
    "frr": ("FRR at 70, with failures", "70 分处的 FRR（计入失败）"),
    "reason": ("of these: {reason}", "其中：{reason}"),
    "reason.no_face": ("no face found", "未检测到人脸"),
    "reason.several_faces": ("several faces", "多张人脸"),
    "reason.unreadable": ("file cannot be read", "文件无法读取"),
    "reason.corrupt": ("damaged image", "图像损坏"),
    "reason.truncated": ("image cut off", "图像不完整"),
    "reason.format": ("not a JPEG or PNG", "非 JPEG 或 PNG"),
    "reason.too_small": ("image too small", "图像过小"),
    "timings": ("Time per image, milliseconds", "每张图耗时（毫秒）"),
    "stage.decode": ("decode", "解码"),
    "stage.detect": ("find the face", "检测人脸"),
    "stage.embed": ("embed", "提取特征"),
    "calibration": ("Calibration points", "标定点"),
    "calibration_note": (
        "A point is written only if at least 30 errors are expected. These are the cosines at which this data reaches "
        "the scale's rates.",
        "只有预期错误数至少为 30 的点才会写出。下表为这批数据达到标尺误识率时的余弦。",
    ),
    "calibration_none": (
        "No table was written: there is not enough data even for the lowest point, score 60.",
        "未写出标定表：数据量连最低的 60 分也不够。",
    ),
    "refused_note": ("not written: needs {needed} comparisons", "未写出：需 {needed} 次比对"),
    "expected": ("Errors behind it", "依据的错误数"),
    "few": (
        "† Fewer than {errors} errors: the true rate may be far from the promised one. The interval treats comparisons "
        "as independent, which they are not; the tables that resample people have wider intervals.",
        "† 不足 {errors} 次错误：真实错误率可能与承诺值相去甚远。此处的区间把各次比对当作相互独立，实际并非如此；"
        "下文按人抽样的表给出更宽的区间。",
    ),
    "def_fmr": (
        "FMR, false match rate: completed comparisons of different people whose score reaches the threshold "
        "(ISO/IEC 19795-1).",
        "FMR（误识率）：已完成的不同人比对中，相似度达到阈值的比例（ISO/IEC 19795-1）。",
    ),
    "def_fnmr": (
        "FNMR, false non-match rate: completed comparisons of one person whose score stays below the threshold "
        "(ISO/IEC 19795-1).",
        "FNMR（误拒率）：已完成的同一人比对中，相似度低于阈值的比例（ISO/IEC 19795-1）。",
    ),
    "def_eer": (
        "EER: the rate at the threshold where FMR and FNMR are equal. A figure for comparison, not an operating point.",
        "EER（等错误率）：FMR 与 FNMR 相等处的错误率。它是衡量尺度，不是工作点。",
    ),
    "def_fta": (
        "FTA and FTE: images, and people, that gave no usable face. FAR = FMR × (1 − FTA); "
        "FRR = FTA + FNMR × (1 − FTA).",
        "FTA 与 FTE：无法得到可用人脸的图像与人的比例。FAR = FMR ×（1 − FTA）；FRR = FTA + FNMR ×（1 − FTA）。",
    ),
    "def_interval": (
        "Intervals: 95 %. People are drawn {replicates} times with replacement; each end is the more cautious of this "
        "and Wilson's interval. Without errors: the exact one-sided bound, about 3 / comparisons (the rule of three).",
        "区间：95%。按人有放回地重采样 {replicates} 次，两端各取它与 Wilson 区间中更谨慎者。"
        "没有错误时取精确单侧上界，约为 3 / 比对次数（三分法则）。",
    ),
}
