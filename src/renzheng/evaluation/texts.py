"""The words of the report, in English and Chinese, and how it writes numbers."""

from __future__ import annotations

import math
from typing import Literal

from renzheng.evaluation.rates import ONE_SIDED, Rate

Language = Literal["en", "zh"]

WORDS: dict[str, tuple[str, str]] = {
    "eyebrow": ("Accuracy report · face comparison", "准确率报告 · 人脸比对"),
    "eyebrow_pad": ("Accuracy report · presentation attacks", "准确率报告 · 呈现攻击检测"),
    "lede": (
        "At score 70, {fm} of {impostors} comparisons of different people passed as one person, and {fnm} of "
        "{genuines} comparisons of one person were refused.",
        "在相似度 70 分处：{impostors} 次不同人比对中有 {fm} 次被误认为同一人，"
        "{genuines} 次同一人比对中有 {fnm} 次被拒绝。",
    ),
    "lede_pad": (
        "{passed} of {attacks} classified attacks of {types} types passed as a live person, and {refused} of {genuine} "
        "classified genuine presentations were refused.",
        "在 {types} 类共 {attacks} 次可判定的攻击中，{passed} 次被当作真人通过；"
        "{genuine} 次可判定的真人呈现中，{refused} 次被拒绝。",
    ),
    "card_fnmr": ("False non-match rate at 70", "70 分处的误拒率 FNMR"),
    "card_fmr": ("False match rate at 70", "70 分处的误识率 FMR"),
    "card_eer": ("Equal error rate", "等错误率 EER"),
    "card_best": ("Accuracy at its own best threshold", "自选最佳阈值下的准确率"),
    "card_fta": ("Failure to acquire", "采集失败率 FTA"),
    "card_bpcer": ("Genuine people refused (BPCER)", "真人被拒率 BPCER"),
    "card_apcer": ("Worst attack type (APCER)", "最差攻击类型的 APCER"),
    "card_types": ("Attack types", "攻击类型"),
    "optimistic": ("optimistic: chosen on this very data", "偏乐观：阈值就是在这批数据上选的"),
    "of": ("{errors} of {trials}", "{trials} 次中 {errors} 次"),
    "of_images": ("{errors} of {trials} images", "{trials} 张图中 {errors} 张"),
    "none_tried": ("no such comparison", "没有此类比对"),
    "interval": ("95 %: {range}", "95% 区间：{range}"),
    "at_most": ("at most {high}", "不超过 {high}"),
    "at_least": ("at least {low}", "不低于 {low}"),
    "at_score": ("at score {score}", "在 {score} 分处"),
    "says": ("What these numbers say, and what they do not", "这些数字说明了什么，没有说明什么"),
    "resolution": (
        "{impostors} impostor comparisons cannot show a false match rate below {bound}: that is what no error at all "
        "would mean.",
        "{impostors} 次不同人比对无法证明低于 {bound} 的误识率：即使一次错误也没有，也只能说到这一步。",
    ),
    "dependent": (
        "Every pair of {images} images of {people} people was compared, so comparisons share people. The intervals "
        "therefore draw people, not comparisons. Where no error was seen, the bound counts comparisons as if they were "
        "independent, and is too kind.",
        "{people} 人的 {images} 张图两两比对，因此许多比对涉及同一个人。区间按“人”重采样而不是按比对。没有出现错误时，"
        "上界把比对当作相互独立，因此偏乐观。",
    ),
    "listed": (
        "The list names {people} people in {images} images. Intervals draw people, not comparisons, and each end is "
        "the more cautious of that and Wilson's.",
        "名单含 {people} 人、{images} 张图。区间按“人”重采样而不是按比对，两端各取它与 Wilson 区间中更谨慎的一个。",
    ),
    "scale_ok": (
        "The scale's promise could be tested at {tested} scores, and the data agrees with it at each.",
        "评分标尺的承诺可在 {tested} 个分数上检验，数据与之全部相符。",
    ),
    "scale_bad": (
        "The scale's promise could be tested at {tested} scores, and at {worse} of them more impostors passed than it "
        "promises: do not rely on it for people like these.",
        "评分标尺的承诺可在 {tested} 个分数上检验，其中 {worse} 个分数上误识多于承诺：对这类人群请勿依赖该标尺。",
    ),
    "scale_small": (
        "The scale's promise could not be tested: it speaks of rates that this data is too small to show.",
        "评分标尺的承诺无法在此检验：它所说的误识率之低，这批数据的规模还不足以显示。",
    ),
    "several": (
        "{count} images show a second face of note; {rule} The server refuses a reference photo with several faces.",
        "{count} 张图中另有明显的第二张脸；{rule}服务器会拒绝含多张人脸的比对照。",
    ),
    "rule_central": ("the one in the middle was taken, as a label names it.", "按标注惯例取画面中央的一张。"),
    "rule_largest": ("the largest one was taken.", "取最大的一张。"),
    "rule_only": ("those images were counted as failures to acquire.", "这些图计为采集失败。"),
    "lost": (
        "{count} comparisons could not be made, as an image gave no face. They are in no FMR or FNMR; FAR and FRR "
        "count them.",
        "{count} 次比对因图中无可用人脸而未能进行，不计入 FMR 与 FNMR；FAR 与 FRR 已将其计入。",
    ),
    "contradictions": (
        "{count} pairs are labelled different although other labels tie them to one person: check the labels.",
        "有 {count} 对被标为不同人，但其他标注把它们归为同一人：请检查标注。",
    ),
    "not_here": (
        "Not measured here: liveness, twins, make-up, ageing beyond the data, and people unlike those in it. "
        "A photo of the person matches the person: comparison alone stops no attack.",
        "此处未测量：活体检测、双胞胎、化妆、超出数据范围的年龄变化，以及与数据中的人不同的人群。"
        "本人照片与本人必然相似：仅靠比对挡不住任何攻击。",
    ),
    "fig_scores": ("How the scores are spread", "相似度分布"),
    "fig_scores_note": (
        "Each side's own share by bar. The further the two stand apart, the fewer errors any threshold makes.",
        "两类比对各自的占比。两者分得越开，任何阈值下的错误越少。",
    ),
    "fig_rates": ("Errors by threshold", "错误率随阈值的变化"),
    "fig_rates_note": (
        "Bands are 95 % intervals. Where a line ends, no error was seen any more and the band is the bound.",
        "色带为 95% 区间。曲线中断处已没有观察到错误，色带即其上界。",
    ),
    "fig_rates_promise": (" The dotted line is what the scale promises.", "点线为评分标尺的承诺。"),
    "fig_det": ("Detection error trade-off (DET)", "检测错误权衡曲线 DET"),
    "fig_det_note": (
        "Lower left is better. Crosses: scores with their intervals; hollow ones saw no error and stand on an edge.",
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
    "errors_of": ("of {trials}", "共 {trials} 次"),
    "range": ("95 % interval", "95% 区间"),
    "promised": ("Scale promises", "标尺承诺"),
    "agreement": ("Data says", "数据表明"),
    "consistent": ("consistent", "相符"),
    "worse": ("worse", "更差"),
    "better": ("better", "更好"),
    "too_small": ("too small to tell", "规模不足以判断"),
    "no_promise": ("no promise", "无承诺"),
    "scale_source": (
        "The scale turns a cosine into a score. It rests on: {data}. Between its first and its last "
        "point it promises a rate; the accuracy page says how many errors each point rests on.",
        "标尺把余弦换算为相似度，其依据为：{data}。首末两点之间作出承诺；每点由多少次错误支撑，见精度页。",
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
    "layer.transcript": ("transcript", "流程记录"),
    "layer.challenge": ("challenge", "挑战"),
    "layer.depth": ("depth", "深度"),
    "layer.continuity": ("continuity", "连续性"),
    "layer.doubt": ("weak measures together", "弱指标合计"),
    "layer.passive": ("passive network", "静默活体模型"),
    "layer.light": ("light", "光线"),
    "layer.no_face": ("no face", "无人脸"),
    "layer.several_faces": ("several faces", "多张人脸"),
    "layer.face_covered": ("told to uncover the face", "被提示露出整张脸"),
    "layer.cut": ("cut face", "人脸不完整"),
    "layer.too_few_pixels": ("too few pixels", "像素过低"),
    "attack.flat": ("flat picture that answers", "能作答的平面照片"),
    "attack.other_actions": ("other actions than asked", "动作不符"),
    "attack.other_order": ("actions in another order", "动作次序不符"),
    "attack.too_late": ("answers too late", "作答过迟"),
    "attack.swap": ("another person during the turn", "转头时换人"),
    "attack.still": ("still photo", "静止照片"),
    "attack.frozen": ("recording that freezes", "画面定格"),
    "attack.flat_moved": ("flat photo, turned and pushed", "移动的平面照片"),
    "attack.flat_tilted": ("flat photo, tilted aslant", "斜向倾转的平面照片"),
    "attack.flat_bent": ("flat photo, bent", "弯曲的平面照片"),
    "attack.cut_out": ("photo with cut-out eyes and mouth", "挖去眼口的照片"),
    "attack.wrong_actions": ("replay with wrong actions", "重放：动作不符"),
    "attack.wrong_order": ("replay in the wrong order", "重放：次序不符"),
    "attack.wrong_time": ("replay at the wrong time", "重放：时间不符"),
    "attack.old_nonce": ("replay with an old nonce", "重放：旧随机数"),
    "attack.spliced": ("two sequences spliced", "两段拼接"),
    "attack.repeated": ("frames repeated", "重复帧"),
    "attack.dropped": ("frames dropped", "丢帧"),
    "attack.two_photos": ("two photos of one person exchanged", "同一人两张照片互换"),
    "attack.small_face": ("small face before a body", "身前的小脸照片"),
    "attack.two_faces": ("two faces", "两张人脸"),
    "attack.complying_head": ("complying head", "完全配合的头部"),
    "layer.frames": ("frames", "画面"),
    "look.blur": ("blur", "模糊"),
    "look.exposure": ("exposure", "曝光"),
    "look.occlusion": ("occlusion", "遮挡"),
    "look.moire": ("moiré", "摩尔纹"),
    "look.borders": ("borders", "边框"),
    "look.passive": ("passive network", "静默活体模型"),
    "looks_table": ("Image scores", "画面评分"),
    "looks_note": (
        "Medians by type. They are advice for an operator; a passive network counts only where it decides.",
        "各类型的中位数。仅供运营者参考；静默活体模型只有在被允许判定时才起作用。",
    ),
    "target": ("Built to meet", "针对的层"),
    "without": ("Pass with that layer off", "关闭该层后通过"),
    "chosen_half": ("Passed in the other half", "另一半中通过"),
    "nature_exempt": ("several (exempt)", "多层（不计）"),
    "nature_uncaught": ("not caught", "无法拦截"),
    "measure": ("Threshold", "阈值"),
    "measure.depth.residual": ("depth: residual of the homography", "深度：单应残差"),
    "measure.depth.solidity": (
        "depth: how much better a head explains the turn than a plane",
        "深度：头部比平面更能解释转头的程度",
    ),
    "measure.depth.relief": (
        "depth: what no plane explains, of what is asked",
        "深度：平面无法解释的部分（与要求之比）",
    ),
    "measure.depth.turn": ("depth: yaw proxy of the turn", "深度：转头的偏航指标"),
    "measure.depth.degrees": ("depth: degrees of the turn", "深度：转头的角度"),
    "measure.continuity.frontal": ("continuity: cosine, frontal", "连续性：正面余弦"),
    "measure.continuity.turned": ("continuity: cosine, turned", "连续性：侧面余弦"),
    "attacks_most": ("Largest of the attacks", "攻击中的最大值"),
    "heads_least": ("98 % of heads reach", "98% 的头部达到"),
    "shipped": ("Shipped", "出厂值"),
    "choice": ("Chosen", "选定"),
    "kept": ("shipped one kept", "保留出厂值"),
    "overlap": ("they overlap", "两者重叠"),
    "suite_people": (
        "People: {choose} in the half that thresholds were looked at on, {report} in the reported half, one photo "
        "each, out of {examined} photos that were examined in order. All presentations are rendered: they prove the "
        "layers, not the rates on people.",
        "人数：选阈值的一半 {choose} 人，报告的一半 {report} 人，每人一张照片，按顺序检查了 {examined} 张照片。"
        "所有呈现均为渲染所得：证明的是各层机制，而不是真人中的比率。",
    ),
    "suite_unfit": (
        "Unfit by the rule for photos, decided before the run: {count} ({reasons}).",
        "按照片规则在运行前排除：{count} 张（{reasons}）。",
    ),
    "suite_table": ("The attack suite", "攻击套件"),
    "suite_note": (
        "Each type is built to pass every layer but one. What passes with that layer switched off shows whether the "
        "attack was strong enough to count.",
        "每类攻击都被构造得能通过除一层以外的所有层。关闭该层后的通过数说明攻击是否足够强、值得计入。",
    ),
    "suite_lede": (
        "{passed} of {attacks} attacks of {types} types passed as a live person.",
        "{types} 类共 {attacks} 次攻击中，{passed} 次被当作真人通过。",
    ),
    "suite_heads": (
        "Of {heads} heads that complied with everything, {through} passed: that is what is not caught.",
        "{heads} 个完全配合的渲染头部中有 {through} 个通过：这正是无法拦截的部分。",
    ),
    "timings": ("Time an image, milliseconds", "每张图耗时（毫秒）"),
    "timings_pad": ("Time a presentation, milliseconds", "每次呈现耗时（毫秒）"),
    "stage": ("Stage", "阶段"),
    "median": ("median", "中位数"),
    "p95": ("95th percentile", "第 95 百分位"),
    "stage.decode": ("decode", "解码"),
    "stage.detect": ("find the face", "检测人脸"),
    "stage.embed": ("embed", "提取特征"),
    "stage.judge": ("judge a whole presentation", "判定整段呈现"),
    "calibration": ("Calibration points", "标定点"),
    "calibration_note": (
        "A point is written only where at least 30 errors are to be expected. These are the cosines at which this "
        "data reaches the scale's rates.",
        "只有预期错误数至少为 30 的点才会写出。下表为这批数据达到标尺误识率时的余弦。",
    ),
    "calibration_none": (
        "No table was written: this data does not bear the lowest anchor, score 60.",
        "未写出标定表：这批数据连最低锚点 60 分也支撑不了。",
    ),
    "refused_note": ("refused: takes {needed} comparisons", "拒绝写出：需 {needed} 次比对"),
    "expected": ("Errors it rests on", "支撑它的错误数"),
    "few": (
        "† Fewer than {errors} errors: the true rate may lie far from the promised one. The interval takes comparisons "
        "as independent, which they are not; the tables by people have wider ones.",
        "† 不足 {errors} 次错误：真实错误率可能与承诺值相去甚远。此处的区间把各次比对当作相互独立，实际并非如此；"
        "下文按人抽样的表给出更宽的区间。",
    ),
    "attack.morph": ("two photos, one dissolving into the other", "两张照片渐变"),
    "attack.replay_screen": ("filmed screen", "翻拍屏幕"),
    "action": ("Action", "动作"),
    "action_missed": ("Not found", "未检出"),
    "action.blink": ("blink", "眨眼"),
    "action.nod": ("nod", "点头"),
    "action.open_mouth": ("open the mouth", "张嘴"),
    "action.tilt_left": ("tilt to the left", "向左歪头"),
    "action.tilt_right": ("tilt to the right", "向右歪头"),
    "action.turn_left": ("turn to the left", "向左转头"),
    "action.turn_right": ("turn to the right", "向右转头"),
    "people_few": (
        "**Few people**: {people} who turn their head and so make whole presentations, {genuine} of these in all, "
        "mirrored and sampled twice; {screens} attack clips. Sanity figures, no rates of a population.",
        "**人数很少**：转头、从而构成完整呈现的真人只有 {people} 名，共 {genuine} 次呈现（含镜像，各采样两次）；"
        "攻击片段 {screens} 个。只能用来发现明显的错误，不是人群的错误率。",
    ),
    "people_always": (
        "People who were refused in all of their presentations: {count}.",
        "所有呈现都被拒绝的人：{count} 名。",
    ),
    "people_attacks": (
        "Attack presentations that passed: {passed} of {count}.",
        "通过的攻击呈现：{count} 次中 {passed} 次。",
    ),
    "people_reasons": (
        "Fewest reasons by which a refused attack was stopped: {fewest}.",
        "被拒攻击中，拦下它的理由最少的有 {fewest} 条。",
    ),
    "people_left_out": (
        "Left out, for a reason given before judging: {reason}.",
        "判定之前即说明理由而未计入：{reason}。",
    ),
    "attack_table": ("By type of attack", "按攻击类型"),
    "fig_attacks": ("Attacks that passed", "通过的攻击"),
    "fig_attacks_note": (
        "APCER by type with its 95 % interval. Types are never averaged: the worst one counts.",
        "各类型的 APCER 及 95% 区间。不同类型不取平均：以最差者为准。",
    ),
    "attack": ("Attack", "攻击"),
    "presentations": ("Presentations", "呈现次数"),
    "passed": ("Passed", "通过"),
    "apcer": ("APCER", "APCER"),
    "silent": ("No response", "未响应"),
    "stopped": ("Stopped by", "拦截层"),
    "genuine_row": ("genuine people (BPCER)", "真人（BPCER）"),
    "pad_limits": (
        "Intervals draw people, as presentations of one person resemble each other. Presentations made with one tool "
        "resemble each other too, and no interval shows that.",
        "同一人的各次呈现彼此相似，因此区间按人重采样。同一工具产生的呈现也彼此相似，这一点任何区间都反映不出。",
    ),
    "pad_not_here": (
        "These rates are of the attacks that were tried, on the people that were recorded. A complying deepfake "
        "through a virtual camera, masks, and attacks nobody thought of are outside of them.",
        "这些数字只针对已尝试的攻击与已录制的人群。通过虚拟摄像头、能配合指令的深度伪造、面具以及尚无人想到的攻击均不在其内。",
    ),
    "definitions": ("Definitions", "定义"),
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
        "EER: the rate at the threshold where FMR and FNMR are equal. A yardstick, not a working point.",
        "EER（等错误率）：FMR 与 FNMR 相等处的错误率。它是衡量尺度，不是工作点。",
    ),
    "def_fta": (
        "FTA and FTE: images, and people, from which no usable face could be had. FAR = FMR × (1 − FTA); "
        "FRR = FTA + FNMR × (1 − FTA).",
        "FTA 与 FTE：无法得到可用人脸的图像与人的比例。FAR = FMR ×（1 − FTA）；FRR = FTA + FNMR ×（1 − FTA）。",
    ),
    "def_interval": (
        "Intervals: 95 %. People are drawn {replicates} times with replacement; each end is the more cautious of that "
        "and Wilson's. With no error: the exact one-sided bound, about 3 / comparisons (the rule of three).",
        "区间：95%。按人有放回地重采样 {replicates} 次，两端各取它与 Wilson 区间中更谨慎者。"
        "没有错误时取精确单侧上界，约为 3 / 比对次数（三分法则）。",
    ),
    "def_pad": (
        "APCER: classified attack presentations of one type that passed as a live person. BPCER: classified genuine "
        "presentations that were refused. No response: presentations that could not be classified (ISO/IEC 30107-3).",
        "APCER：某一类型已判定的攻击中被当作真人通过的比例。"
        "BPCER：已判定的真人呈现中被拒绝的比例。未响应：无法判定的呈现（ISO/IEC 30107-3）。",
    ),
    "def_interval_pad": (
        "Intervals: 95 %. People are drawn {replicates} times with replacement; each end is the more cautious of that "
        "and Wilson's. With no error: the exact one-sided bound, about 3 / presentations (the rule of three).",
        "区间：95%。按人有放回地重采样 {replicates} 次，两端各取它与 Wilson 区间中更谨慎者。"
        "没有错误时取精确单侧上界，约为 3 / 呈现次数（三分法则）。",
    ),
    "made": ("How this was made", "如何得出"),
    "command": ("Command", "命令"),
    "version": ("renzheng", "renzheng 版本"),
    "when": ("Made at", "生成时间"),
    "took": ("Took", "用时"),
    "seconds": ("{seconds} s", "{seconds} 秒"),
    "packs": ("Models", "模型"),
    "seed": ("Seed of the draws", "重采样种子"),
    "footer": (
        "This file asks nothing of any host and holds no face and no name. The CSV files beside it may name images.",
        "本文件不向任何主机发出请求，也不含人脸与姓名。同目录的 CSV 文件可能含有图像文件名。",
    ),
}


class Words:
    """The report's words in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._column = ("en", "zh").index(language)

    def __call__(self, key: str, **fields: object) -> str:
        """The sentence `key` with its fields filled in. KeyError for an unknown one."""
        return WORDS[key][self._column].format(**fields)

    def maybe(self, kind: str, name: str) -> str:
        """The words for a name that data may bring along; the name itself where there are none."""
        key = f"{kind}.{name}"
        return WORDS[key][self._column] if key in WORDS else name.replace("_", " ")

    def percent(self, value: float) -> str:
        """0-1 as a percentage with two or three significant digits."""
        sign = " %" if self.language == "en" else "%"
        return f"{digits(100 * value)}{sign}"

    def range(self, rate: Rate) -> str:
        """The interval in words: two ends, or one where only one can be had."""
        if rate.low is None or rate.high is None:
            return "–"
        if rate.method == ONE_SIDED:
            if rate.errors:
                return self("at_least", low=self.percent(rate.low))
            return self("at_most", high=self.percent(rate.high))
        return self.between(rate.low, rate.high)

    def between(self, low: float, high: float) -> str:
        return f"{digits(100 * low)} – {self.percent(high)}"

    def one_in(self, value: float) -> str:
        """A small rate as people say it."""
        many = f"{round_to(1 / value, 2):,.0f}"
        return f"1 in {many}" if self.language == "en" else f"{many} 次中 1 次"


def round_to(value: float, figures: int) -> float:
    return round(value, figures - 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def digits(value: float) -> str:
    """A number with two significant digits, three above ten, never in powers of ten."""
    if not value:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.4g}" if abs(value) < 10000 else f"{value:,.0f}"
    figures = 3 if abs(value) >= 1 else 2
    places = max(0, figures - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
