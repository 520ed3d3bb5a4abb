"""The words of reports on attacks: types, layers, thresholds, people; English and Chinese."""

from __future__ import annotations

ATTACK_WORDS: dict[str, tuple[str, str]] = {
    "eyebrow_pad": ("Accuracy report · presentation attacks", "准确率报告 · 呈现攻击检测"),
    "lede_pad": (
        "{passed} of {attacks} classified attacks of {types} types passed as a live person, and {refused} of {genuine} "
        "classified genuine presentations were refused.",
        "在 {types} 类共 {attacks} 次可判定的攻击中，{passed} 次被当作真人通过；"
        "{genuine} 次可判定的真人呈现中，{refused} 次被拒绝。",
    ),
    "card_bpcer": ("Genuine people refused (BPCER)", "真人被拒率 BPCER"),
    "card_apcer": ("Worst attack type (APCER)", "最差攻击类型的 APCER"),
    "card_types": ("Attack types", "攻击类型"),
    "layer.transcript": ("transcript", "流程记录"),
    "layer.challenge": ("challenge", "挑战"),
    "layer.depth": ("depth", "深度"),
    "layer.continuity": ("continuity", "连续性"),
    "layer.doubt": ("weak measures together", "弱指标合计"),
    "layer.passive": ("passive network", "静默活体模型"),
    "layer.light": ("light", "光线"),
    "layer.no_face": ("no face", "无人脸"),
    "layer.several_faces": ("several faces", "多张人脸"),
    "layer.face_covered": ("asked to uncover the face", "被提示露出整张脸"),
    "layer.cut": ("cut face", "人脸不完整"),
    "layer.too_few_pixels": ("too few pixels", "像素过低"),
    "attack.flat": ("flat picture that does the actions", "能做出动作的平面照片"),
    "attack.other_actions": ("other actions than requested", "动作不符"),
    "attack.other_order": ("actions in another order", "动作次序不符"),
    "attack.too_late": ("actions too late", "动作过迟"),
    "attack.swap": ("another person during the turn", "转头时换人"),
    "attack.still": ("still photo", "静止照片"),
    "attack.frozen": ("recording that freezes", "画面定格"),
    "attack.flat_moved": ("flat photo, turned and moved", "转动和移动的平面照片"),
    "attack.flat_tilted": ("flat photo, tilted sideways", "斜向倾转的平面照片"),
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
    "attack.small_face": ("small face in front of a body", "身前的小脸照片"),
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
        "Medians by type. They are advice for an operator; a passive network counts only if it is allowed to decide.",
        "各类型的中位数。仅供运维人员参考；静默活体模型只有在被允许判定时才起作用。",
    ),
    "target": ("Built against", "针对的层"),
    "without": ("Passed with that layer off", "关闭该层后通过"),
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
        "depth: what no plane explains, relative to the required value",
        "深度：平面无法解释的部分（与要求值之比）",
    ),
    "measure.depth.turn": ("depth: yaw proxy of the turn", "深度：转头的偏航指标"),
    "measure.depth.degrees": ("depth: degrees of the turn", "深度：转头的角度"),
    "measure.continuity.frontal": ("continuity: cosine, frontal", "连续性：正面余弦"),
    "measure.continuity.turned": ("continuity: cosine, turned", "连续性：侧面余弦"),
    "measure.continuity.link": ("continuity: weakest link of the chain of faces", "连续性：人脸链中最弱的一环"),
    "attacks_most": ("Highest of the attacks", "攻击中的最大值"),
    "heads_least": ("98 % of heads reach", "98% 的头部达到"),
    "shipped": ("Shipped", "默认值"),
    "choice": ("Chosen", "选定"),
    "kept": ("shipped value kept", "保留默认值"),
    "overlap": ("they overlap", "两者重叠"),
    "suite_people": (
        "People: {choose} in the half for choosing thresholds, {report} in the reported half, one photo each, out of "
        "{examined} photos that were examined in order. All presentations are rendered: they test the layers, not the "
        "rates on people.",
        "人数：选阈值的一半 {choose} 人，报告的一半 {report} 人，每人一张照片，按顺序检查了 {examined} 张照片。"
        "所有呈现均为渲染所得：证明的是各层机制，而不是真人中的比率。",
    ),
    "suite_unfit": (
        "Rejected by the rule for photos before the run: {count} ({reasons}).",
        "按照片规则在运行前排除：{count} 张（{reasons}）。",
    ),
    "suite_table": ("The attack suite", "攻击套件"),
    "suite_note": (
        "Each type is built to pass every layer except one. The attacks that pass with that layer switched off show "
        "whether the type is strong enough to count.",
        "每类攻击都针对一层构造，并能通过其余各层。关闭该层后的通过数说明攻击是否足够强、是否值得计入。",
    ),
    "suite_lede": (
        "{passed} of {attacks} attacks of {types} types passed as a live person.",
        "{types} 类共 {attacks} 次攻击中，{passed} 次被当作真人通过。",
    ),
    "suite_heads": (
        "Of {heads} heads that did everything that was asked, {through} passed: this attack is not caught.",
        "{heads} 个完全配合的渲染头部中有 {through} 个通过：这正是无法拦截的部分。",
    ),
    "timings_pad": ("Time per presentation, milliseconds", "每次呈现耗时（毫秒）"),
    "stage.judge": ("judge a whole presentation", "判定整段呈现"),
    "attack.morph": ("morph from one photo into another", "两张照片渐变"),
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
        "**Few people**: {people} who turn their head and so make complete presentations, {genuine} presentations in "
        "all, mirrored and sampled twice; {screens} attack clips. These figures reveal gross errors; they are not "
        "rates of a population.",
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
        "Smallest number of reasons that stopped a refused attack: {fewest}.",
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
        "Intervals resample people, because presentations of one person resemble each other. Presentations made with "
        "one tool resemble each other too, and no interval shows that.",
        "同一人的各次呈现彼此相似，因此区间按人重采样。同一工具产生的呈现也彼此相似，这一点任何区间都反映不出。",
    ),
    "pad_not_here": (
        "These rates hold for the attacks that were tried and the people who were recorded. They do not include a "
        "complying deepfake through a virtual camera, masks, and attacks that nobody has thought of.",
        "这些数字只针对已尝试的攻击与已录制的人群。通过虚拟摄像头、能配合指令的深度伪造、面具以及尚无人想到的攻击均不在其内。",
    ),
    "def_pad": (
        "APCER: classified attack presentations of one type that passed as a live person. BPCER: classified genuine "
        "presentations that were refused. No response: presentations that could not be classified (ISO/IEC 30107-3).",
        "APCER：某一类型已判定的攻击中被当作真人通过的比例。"
        "BPCER：已判定的真人呈现中被拒绝的比例。未响应：无法判定的呈现（ISO/IEC 30107-3）。",
    ),
    "def_interval_pad": (
        "Intervals: 95 %. People are drawn {replicates} times with replacement; each end is the more cautious of this "
        "and Wilson's interval. Without errors: the exact one-sided bound, about 3 / presentations (rule of three).",
        "区间：95%。按人有放回地重采样 {replicates} 次，两端各取它与 Wilson 区间中更谨慎者。"
        "没有错误时取精确单侧上界，约为 3 / 呈现次数（三分法则）。",
    ),
}
