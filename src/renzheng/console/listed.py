"""The console's lists, as tables over actions of the management API."""

from __future__ import annotations

from renzheng.console.nouns import Button, Column, Record, Table
from renzheng.console.rendering import ROOT
from renzheng.console.words import ROLES

RULE_STATES = {
    "draft": ("Draft", "草稿"),
    "submitted": ("In review", "审核中"),
    "approved": ("Approved", "已通过"),
    "rejected": ("Rejected", "已驳回"),
    "disabled": ("Disabled", "已停用"),
}
RULE_TONES = {"approved": "good", "submitted": "amber", "rejected": "wrong"}
OPEN_RULE = frozenset({"draft", "rejected", "disabled"})
YES_NO = {True: ("yes", "是"), False: ("no", "否")}
ACCOUNT = Column("AccountId", ("Account", "账号"), "account")
CREATED = Column("CreatedAt", ("Made", "创建时间"), "time")
OF_RULE = {"AccountId": "AccountId", "RuleId": "RuleId"}
SEEN_RULE = OF_RULE | {"ChangedAt": "ChangedAt"}
"""The decision is about the form that the reviewer has seen."""
OF_KEY = {"AccountId": "AccountId", "SecretId": "SecretId"}
OF_ACCOUNT = {"AccountId": "Id"}

RULES = Table(
    path=f"{ROOT}/rules",
    title=("Rules", "业务规则"),
    lead=(
        "A rule is a business scenario with a policy of its own. Tokens name it by its RuleId once somebody else than "
        "its author has approved it.",
        "一条规则对应一个业务场景，有自己的策略。经作者以外的人审核通过后，签发 Token 时即可用 RuleId 引用。",
    ),
    icon="rules",
    action="DescribeRules",
    items="Rules",
    columns=(
        Column("RuleId", ("RuleId", "RuleId"), "code"),
        Column("Name", ("Name", "名称")),
        ACCOUNT,
        Column("State", ("State", "状态"), "badge", RULE_STATES, RULE_TONES),
        Column("Policy.Threshold", ("Threshold", "阈值"), "number"),
        Column("Policy.ChallengeLength", ("Actions", "动作数"), "number"),
        Column("Note", ("Note", "备注")),
        Column("ChangedAt", ("Changed", "更新时间"), "time"),
    ),
    filters=("AccountId", "State", "Name"),
    first=(Button("CreateRule", ("New rule", "新建规则")),),
    buttons=(
        Button("SubmitRule", ("Submit", "提交审核"), OF_RULE, (), {"State": OPEN_RULE}),
        Button("ApproveRule", ("Approve", "通过"), SEEN_RULE, ("Note",), {"State": frozenset({"submitted"})}),
        Button("RejectRule", ("Reject", "驳回"), SEEN_RULE, ("Note",), {"State": frozenset({"submitted"})}, "danger"),
        Button("ModifyRule", ("Change", "修改"), OF_RULE, None, {"State": OPEN_RULE}),
        Button(
            "DisableRule", ("Disable", "停用"), OF_RULE, ("Note",),
            {"State": frozenset({"draft", "submitted", "approved"})}, "danger",
        ),
    ),
    link=f"{ROOT}/rules/versions?AccountId={{AccountId}}&RuleId={{RuleId}}",
)  # fmt: skip
RULE_VERSIONS = Table(
    path=f"{ROOT}/rules/versions",
    title=("Versions of a rule", "规则的版本"),
    lead=("Every version is kept, with who made it and who decided on it.", "每个版本都会保留，包括作者与审核人。"),
    icon="rules",
    action="DescribeRuleVersions",
    items="Versions",
    columns=(
        Column("Version", ("Version", "版本"), "number"),
        Column("Name", ("Name", "名称")),
        Column("Author", ("Author", "作者"), "code"),
        Column("Policy.Threshold", ("Threshold", "阈值"), "number"),
        Column("Policy.ChallengeLength", ("Actions", "动作数"), "number"),
        Column("Policy.ChallengeKinds", ("Kinds", "动作"), "list"),
        Column("Policy.Attempts", ("Attempts", "尝试次数"), "number"),
        Column("EvidenceDays", ("Evidence, days", "影像天数"), "number"),
        CREATED,
        Column("Decision", ("Decision", "审核结果"), "badge", RULE_STATES, RULE_TONES),
        Column("DecidedBy", ("Decided by", "审核人"), "code"),
        Column("Note", ("Note", "备注")),
    ),
    context=("AccountId", "RuleId"),
    above=RULES,
)
KEYS = Table(
    path=f"{ROOT}/keys",
    title=("Keys", "密钥"),
    lead=(
        "A SecretId and its SecretKey sign for an account. The SecretKey is shown once, when it is made.",
        "SecretId 与 SecretKey 用于为账号签名。SecretKey 只在创建时显示一次。",
    ),
    icon="keys",
    action="DescribeKeys",
    items="Keys",
    columns=(
        Column("SecretId", ("SecretId", "SecretId"), "code"),
        ACCOUNT,
        Column("Enabled", ("State", "状态"), "switch", {True: ("enabled", "启用"), False: ("disabled", "停用")},
               {True: "good", False: "wrong"}),
        Column("Services", ("Services", "可用产品"), "list"),
        Column("Addresses", ("Networks", "网段"), "list"),
        CREATED,
        Column("ExpiresAt", ("Ends", "到期"), "time"),
    ),
    filters=("AccountId", "Enabled"),
    first=(
        Button("CreateKey", ("New key", "新建密钥")),
        Button("CreateTemporaryKey", ("Temporary key", "临时密钥")),
    ),
    buttons=(
        Button("DisableKey", ("Disable", "停用"), OF_KEY, (), {"Enabled": frozenset({True})}, "danger"),
        Button("EnableKey", ("Enable", "启用"), OF_KEY, (), {"Enabled": frozenset({False})}),
        Button("ModifyKey", ("Limit", "限制"), OF_KEY),
        Button("ModifyKeyScope", ("Services", "产品"), OF_KEY),
        Button(
            "DeleteKey", ("Delete", "删除"), OF_KEY, (), {"Enabled": frozenset({False})}, "danger",
            ("Programs that still use this key are refused for good.", "仍在使用该密钥的程序将永久被拒绝。"),
        ),
    ),
)  # fmt: skip
ACCOUNTS = Table(
    path=f"{ROOT}/accounts",
    title=("Accounts", "账号"),
    lead=(
        "Who calls the signed API. Records of one account are not seen by another.",
        "签名接口的调用方，账号之间的数据互不可见。",
    ),
    icon="accounts",
    action="DescribeAccounts",
    items="Accounts",
    columns=(
        Column("Name", ("Name", "名称")),
        Column("Id", ("Number", "编号"), "number"),
        Column("Origins", ("Origins", "网页来源"), "list"),
        Column("Contact", ("Contact", "联系方式")),
        CREATED,
    ),
    filters=("Name",),
    first=(Button("CreateAccount", ("New account", "新建账号")),),
    link=f"{ROOT}/accounts/{{Id}}",
)
ACCOUNT_PAGE = Record(
    path=f"{ROOT}/accounts/{{id}}",
    table=ACCOUNTS,
    action="DescribeAccount",
    parameter="AccountId",
    item="Account",
    heading="Name",
    columns=(
        Column("Id", ("Number", "编号"), "number"),
        Column("Active", ("Served", "是否开通"), "switch", YES_NO, {True: "good", False: "wrong"}),
        Column("Balance", ("Verifications left", "剩余次数"), "number", {None: ("no limit", "不限")}),
        Column("Billed", ("Billed so far", "累计计费"), "number"),
        Column("Limits", ("Limits of its own", "单独的限额"), "pairs"),
        Column("EvidenceBytes", ("Evidence kept", "影像占用"), "size"),
        Column("DisplayNames", ("Names that people read", "用户看到的名称"), "pairs"),
        Column("PrivacyUrl", ("Privacy policy", "隐私政策")),
        Column("Contact", ("Contact", "联系方式")),
        Column("Origins", ("Origins", "网页来源"), "list"),
        CREATED,
    ),
    buttons=(
        Button("ModifyAccount", ("Change", "修改"), OF_ACCOUNT),
        Button("ModifyAccountBilling", ("Activation and billing", "开通与计费"), OF_ACCOUNT),
        Button("TopUpAccount", ("Top up", "充值"), OF_ACCOUNT),
        Button("ModifyAccountLimit", ("Limits", "限额"), OF_ACCOUNT),
    ),
)
OPERATORS = Table(
    path=f"{ROOT}/people",
    title=("People", "人员"),
    lead=("Who signs in here, and in what role.", "可以登录控制台的人员及其角色。"),
    icon="operators",
    action="DescribeOperators",
    items="Operators",
    columns=(
        Column("Name", ("Name", "姓名")),
        Column("Role", ("Role", "角色"), "badge", ROLES),
        ACCOUNT,
        Column("Disabled", ("State", "状态"), "switch", {False: ("may work", "正常"), True: ("shut out", "已停用")},
               {False: "good", True: "wrong"}),
        Column("SecretId", ("Own key", "个人密钥"), "code"),
        CREATED,
    ),
    filters=("Role",),
    first=(Button("CreateOperator", ("Add a person", "添加人员"),),),
    buttons=(
        Button("ModifyOperator", ("Change", "修改"), {"OperatorId": "Id"}),
        Button("RenewOperatorKey", ("New key", "换发密钥"), {"OperatorId": "Id"}, ()),
        Button(
            "RenewOperatorKey", ("New sign-in", "重设登录"), when={"Disabled": frozenset({False})},
            page=f"{ROOT}/people/{{Id}}/link",
        ),
    ),
)  # fmt: skip
STATES = {
    "issued": ("Issued", "已签发"),
    "capturing": ("Capturing", "采集中"),
    "judging": ("Being judged", "判定中"),
    "passed": ("Passed", "通过"),
    "failed": ("Failed", "未通过"),
    "expired": ("Expired", "已过期"),
}
STATE_TONES = {"passed": "good", "failed": "wrong", "judging": "amber", "capturing": "amber"}
OF_VERIFICATION = {"VerificationId": "Id"}
DECIDED = {"State": frozenset({"passed", "failed"})}
DELIVERIES = {
    "waiting": ("Waiting", "等待投递"),
    "delivered": ("Delivered", "已投递"),
    "nothing": ("Nothing to deliver", "无可投递内容"),
    "erasing": ("Being erased", "删除中"),
    "erased": ("Erased", "已删除"),
    "left": ("Could not be erased", "未能删除"),
}
SEES_A_FACE = (
    "You are about to see a person's face. Your name and the reason go into the audit log.",
    "您即将查看他人的面部画面，您的姓名与查看原因将记入审计日志。",
)
VERIFICATIONS = Table(
    path=f"{ROOT}/verifications",
    title=("Verifications", "核身记录"),
    lead=(
        "The newest first. Results are kept for three days. No name and no number of a person is in this list.",
        "最新的在前，结果保留三天。列表中不含姓名和身份证号。",
    ),
    icon="verifications",
    action="DescribeVerifications",
    items="Verifications",
    columns=(
        Column("Id", ("Number", "编号"), "code"),
        Column("CreatedAt", ("Issued", "签发时间"), "time"),
        ACCOUNT,
        Column("State", ("State", "状态"), "badge", STATES, STATE_TONES),
        Column("Result", ("Result", "结果"), "result"),
        Column("Attempts", ("Attempts", "尝试次数"), "number"),
        Column("Billed", ("Billed", "计费"), "text", YES_NO),
    ),
    filters=("AccountId", "State", "Result", "RuleId", "RequestId", "Since", "Until"),
    private_filter="IdCard",
    link=f"{ROOT}/verifications/{{Id}}",
)
VERIFICATION_PAGE = Record(
    path=f"{ROOT}/verifications/{{id}}",
    table=VERIFICATIONS,
    action="DescribeVerification",
    parameter="VerificationId",
    item="Verification",
    heading="Id",
    columns=(
        Column("State", ("State", "状态"), "badge", STATES, STATE_TONES),
        Column("Result", ("Result", "结果"), "result"),
        Column("Similarity", ("Similarity", "相似度"), "number"),
        Column("LivenessTags", ("Signs against liveness", "活体标签"), "list"),
        Column("Ending", ("Ended by", "结束方式"), "code"),
        Column("CompareLib", ("Compared with", "比对源"), "code"),
        Column("Name", ("Name", "姓名")),
        Column("IdCard", ("ID number", "身份证号"), "code"),
        Column("Attempts", ("Attempts", "尝试次数"), "number"),
        Column("Counted", ("Of these counted", "计入次数"), "number"),
        Column("Billed", ("Billed", "计费"), "text", YES_NO),
        Column("AccountId", ("Account", "账号"), "account"),
        Column("Delivery", ("To the bucket", "投递"), "badge", DELIVERIES, {"delivered": "good", "left": "wrong"}),
        CREATED,
        Column("ExpiresAt", ("Token ends", "Token 到期"), "time"),
    ),
    buttons=(
        Button(
            "DescribeEvidence", ("See the frames", "查看画面"), OF_VERIFICATION, ("Reason", "Attempt"),
            shows="evidence.html", warning=SEES_A_FACE,
        ),
        Button(
            "DescribeEvidenceVideo", ("Play the video", "播放视频"), OF_VERIFICATION, ("Reason",), DECIDED,
            shows="video.html", warning=SEES_A_FACE,
        ),
        Button(
            "DescribeResult", ("Fetch again", "重新查询"), OF_VERIFICATION, (),
            shows="result.html",
            warning=("You see what the merchant would get now, masked. It does not count as a fetch.",
                     "显示商户此刻查询会得到的内容（已脱敏），不计为一次查询。"),
        ),
        Button(
            "DeliverVerification", ("Deliver again", "重新投递"), OF_VERIFICATION, (),
            {"Delivery": frozenset({"waiting", "delivered", "nothing"})},
            warning=("Video and best frame are put into the customer's bucket again, under the same keys.",
                     "视频和最佳帧将以相同的对象键再次写入客户存储桶。"),
        ),
        Button(
            "RejudgeVerification", ("Judge again", "重新判定"), OF_VERIFICATION, (), DECIDED,
            shows="rejudged.html",
            warning=("The stored frames are measured again, which takes some seconds. The verdict stays as it is.",
                     "将重新测量保存的画面，需数秒。原结论不会改变。"),
        ),
        Button(
            "EraseVerification", ("Erase", "删除"), OF_VERIFICATION, (), {}, "danger",
            ("Its result and all evidence are deleted permanently, also what was delivered to the customer's bucket.",
             "结果与全部影像将永久删除，包括已投递到客户存储桶的内容。"),
            back=VERIFICATIONS.path,
        ),
    ),
    template="verification.html",
)  # fmt: skip
IDENTITIES = Table(
    path=f"{ROOT}/identities",
    title=("Identities", "人员库"),
    lead=(
        "The people that BUSINESS verifications compare with, by account. Names and numbers are masked.",
        "BUSINESS 核身的比对库，按账号存放。姓名与身份证号已脱敏。",
    ),
    icon="identities",
    action="DescribeIdentities",
    items="Identities",
    columns=(
        Column("Id", ("Number", "编号"), "code"),
        Column("Name", ("Name", "姓名")),
        Column("IdCard", ("ID number", "身份证号"), "code"),
        Column("HasPhoto", ("Photo", "照片"), "switch", YES_NO, {True: "good", False: "amber"}),
        Column("CreatedAt", ("Enrolled", "登记时间"), "time"),
    ),
    filters=("AccountId",),
    private_filter="IdCard",
    first=(
        Button("PutIdentity", ("Enrol a person", "登记人员")),
        Button("CreateImport", ("Import", "批量导入"), page=f"{ROOT}/identities/import"),
    ),
    buttons=(
        Button(
            "DeleteIdentity", ("Erase", "删除"), {"IdentityId": "Id", "AccountId": "@AccountId"}, (), {}, "danger",
            ("The key to this person's data is destroyed. It cannot be undone.", "将销毁此人的数据密钥，不可恢复。"),
        ),
    ),
    needs_account=True,
)  # fmt: skip
BUCKETS = Table(
    path=f"{ROOT}/buckets",
    title=("Buckets", "存储桶"),
    lead=(
        "Where UseCos has video and best frame delivered: a bucket of the account's own.",
        "UseCos 的投递目的地：账号自己的存储桶。",
    ),
    icon="buckets",
    action="DescribeBuckets",
    items="Buckets",
    columns=(
        ACCOUNT,
        Column("Bucket", ("Bucket", "存储桶"), "code"),
        Column("Region", ("Region", "地域"), "code"),
        Column("Host", ("Host", "主机"), "code"),
        Column("Prefix", ("Prefix", "前缀"), "code"),
        Column("AuthorisedAt", ("Authorised", "授权时间"), "time"),
    ),
    filters=("AccountId",),
    first=(Button("AuthoriseBucket", ("Authorise a bucket", "授权存储桶")),),
    buttons=(
        Button("CheckBucket", ("Test", "测试"), {"AccountId": "AccountId"}, ()),
        Button(
            "RevokeBucket", ("Revoke", "取消授权"), {"AccountId": "AccountId"}, (), {}, "danger",
            ("Tokens with UseCos are refused from then on, and what waits is not delivered.",
             "此后带 UseCos 的 Token 将被拒绝，等待中的投递不再进行。"),
        ),
    ),
)  # fmt: skip
USAGE = Table(
    path=f"{ROOT}/usage",
    title=("Usage", "用量"),
    lead=(
        "Verifications by day, result and rule, for the last 31 days unless you say otherwise.",
        "按天、结果和规则统计的核身次数，默认最近 31 天。",
    ),
    icon="overview",
    action="DescribeUsage",
    items="Usage",
    columns=(
        Column("Day", ("Day", "日期")),
        ACCOUNT,
        Column("Result", ("Result", "结果"), "result"),
        Column("RuleId", ("RuleId", "RuleId"), "code"),
        Column("Verifications", ("Verifications", "次数"), "number"),
        Column("Billed", ("Billed", "计费"), "number"),
        Column("Charged", ("From the balance", "扣减余额"), "number"),
    ),
    filters=("AccountId", "Since", "Until"),
)
AUDIT = Table(
    path=f"{ROOT}/audit",
    title=("Audit", "审计"),
    lead=(
        "Who did what to which account, key or person, and who was refused.",
        "谁对哪个账号、密钥或人员做了什么，以及被拒绝的访问。",
    ),
    icon="audit",
    action="DescribeEvents",
    items="Events",
    columns=(
        Column("At", ("Time", "时间"), "time"),
        Column("Actor", ("Who", "操作者"), "code"),
        Column("Verb", ("Did", "操作"), "verb"),
        Column("Subject", ("To what", "对象"), "code"),
    ),
    filters=("Subject",),
)
SETTINGS = Record(
    path=f"{ROOT}/settings",
    table=Table(
        f"{ROOT}/settings", ("Settings", "设置"),
        ("As they are in force now, by environment variable. Secrets are left out.",
         "当前生效的设置，按环境变量名列出，不含密码。"),
        "settings", "DescribeSettings", "", (),
    ),
    action="DescribeSettings",
    parameter="",
    item="Settings",
    heading="",
    columns=(),
    buttons=(),
    template="settings.html",
)  # fmt: skip
TABLES = (VERIFICATIONS, RULES, RULE_VERSIONS, IDENTITIES, BUCKETS, KEYS, ACCOUNTS, USAGE, OPERATORS, AUDIT)
RECORDS = (ACCOUNT_PAGE, VERIFICATION_PAGE, SETTINGS)
