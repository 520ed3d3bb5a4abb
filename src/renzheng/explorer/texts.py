"""Every sentence about the API that the page shows, Chinese and English: actions, parameters, what to do about errors.

The page's own sentences are in static/texts.js.
"""

from __future__ import annotations

Sentences = tuple[str, str]
"""Chinese, English."""

ACTIONS: dict[str, Sentences] = {
    "GetFaceIdToken": (
        "开始一次核验：换取一个 Token，交给用户的手机或浏览器。",
        "Begins a verification: gets a token for the person’s phone or browser.",
    ),
    "GetFaceIdResult": (
        "凭 Token 取回结论，三天内可以反复查询。",
        "Fetches the outcome of a token’s verification, as often as you like for three days.",
    ),
}

# By action and path; a path alone where the sentence is the same in every action.
PARAMETERS: dict[str, Sentences] = {
    "GetFaceIdToken.CompareLib": (
        "和什么比对：LOCAL 是随请求上传的照片，BUSINESS 是本服务身份库里登记的照片。",
        "What to compare with: LOCAL is a photo sent along, BUSINESS the one enrolled in this server’s library.",
    ),
    "GetFaceIdToken.IdCard": (
        "身份证号码，十五位或十八位。BUSINESS 必填。",
        "The ID number, fifteen or eighteen characters. Needed under BUSINESS.",
    ),
    "GetFaceIdToken.Name": (
        "姓名，与登记的一致。BUSINESS 必填。",
        "The name, as it is enrolled. Needed under BUSINESS.",
    ),
    "GetFaceIdToken.ImageBase64": (
        "要比对的照片，JPEG 或 PNG。LOCAL 必填。",
        "The photo to compare with, JPEG or PNG. Needed under LOCAL.",
    ),
    "GetFaceIdToken.Meta": (
        "设备上 SDK 的 getMeta() 给出的文字，原样传来，Token 就只认那台设备。",
        "What getMeta() of the SDK gave on the device, unchanged: the token then serves that device only.",
    ),
    "GetFaceIdToken.Extra": (
        "你自己的备注，最多一千字，取结果时原样返回。",
        "A note of your own, up to a thousand characters; it comes back with the result.",
    ),
    "GetFaceIdToken.UseCos": (
        "结果存入 COS。本服务没有这项功能，填 true 会被拒绝。",
        "Keep the result in COS. This server does not offer it and refuses true.",
    ),
    "GetFaceIdToken.Encryption": (
        "Name、IdCard 或 ImageBase64 加密后传来时，说明怎样加的密。",
        "How Name, IdCard or ImageBase64 were sealed, where they come sealed.",
    ),
    "GetFaceIdToken.RuleId": (
        "已审批的规则编号，由它决定动作、阈值与保存期。不填则用服务的默认设置。",
        "The number of an approved rule, which sets actions, threshold and retention. Without it the defaults apply.",
    ),
    "GetFaceIdToken.MetaData": (
        "手机 SDK 给出的设备信息，原样传来；本服务只保存，不使用。",
        "What a phone’s SDK says of the device, unchanged; this server keeps it and does not use it.",
    ),
    "GetFaceIdResult.FaceIdToken": (
        "GetFaceIdToken 给出的 Token。",
        "The token that GetFaceIdToken gave.",
    ),
    "GetFaceIdResult.IsNeedVideo": (
        "是否要核验视频，在 VideoBase64 里返回。第一次要一两秒。",
        "Whether to return the video as VideoBase64. The first time takes a second or two.",
    ),
    "GetFaceIdResult.IsNeedBestFrame": (
        "是否要最清楚的一帧，在 BestFrameBase64 里返回。",
        "Whether to return the best frame as BestFrameBase64.",
    ),
    "GetFaceIdResult.IsEncryptResponse": (
        "是否把整个结果加密返回；为 true 时 Encryption 必填。",
        "Whether to seal the whole reply; true needs Encryption.",
    ),
    "GetFaceIdResult.Encryption": (
        "带上你的密钥，结果里的姓名和证件号就加密返回。",
        "Your key, under which name and ID number come back sealed.",
    ),
    "Encryption.EncryptList": (
        '加密了哪些参数，例如 ["Name"]。',
        'The names of what is sealed, such as ["Name"].',
    ),
    "Encryption.CiphertextBlob": (
        "用服务端公钥加密的对称密钥，Base64。公钥见 renzheng encryption show。",
        "The symmetric key, encrypted to the server’s public key, in Base64: renzheng encryption show.",
    ),
    "Encryption.Iv": (
        "初始向量，Base64：AES-256-CBC 是十六字节，SM4-GCM 是十二字节。",
        "The initialisation vector in Base64: 16 bytes for AES-256-CBC, 12 for SM4-GCM.",
    ),
    "Encryption.Algorithm": (
        "AES-256-CBC（默认）或 SM4-GCM。",
        "AES-256-CBC, the default, or SM4-GCM.",
    ),
    "Encryption.TagList": (
        "SM4-GCM 的校验标签，顺序同 EncryptList，Base64。",
        "SM4-GCM’s tags in Base64, in the order of EncryptList.",
    ),
}

CHOICES: dict[str, tuple[str, ...]] = {"GetFaceIdToken.CompareLib": ("LOCAL", "BUSINESS")}

# What "fill in an example" fills in: a made-up person, whom no library need know for a token.
EXAMPLES: dict[str, str] = {
    "GetFaceIdToken.CompareLib": "BUSINESS",
    "GetFaceIdToken.IdCard": "11204416541220243X",
    "GetFaceIdToken.Name": "韦小宝",
}

ADVICE: dict[str, Sentences] = {
    "AuthFailure.InvalidAuthorization": (
        "Authorization 的写法不对：算法、Credential、SignedHeaders、Signature 缺一不可，产品名是 faceid。",
        "The Authorization header has another form: it needs algorithm, Credential, SignedHeaders and Signature, and "
        "the service is faceid.",
    ),
    "AuthFailure.SecretIdNotFound": (
        "服务不认识这个 SecretId，或它已停用。在服务所在机器上运行 renzheng key show 查看。",
        "The server does not know this SecretId, or it is disabled. renzheng key show, on the server, lists it.",
    ),
    "AuthFailure.SignatureExpire": (
        "时间戳与服务器相差太多。请校准这台机器的时钟，并在发送前才签名。",
        "The timestamp is too far from the server’s clock. Set this machine’s clock, and sign just before sending.",
    ),
    "AuthFailure.SignatureFailure": (
        "SecretKey 不对，或签名的内容与发送的不同。把签名的三步与你自己的逐行对照。",
        "The SecretKey is wrong, or what was signed is not what was sent. Compare the steps of the signature with "
        "yours, line by line.",
    ),
    "AuthFailure.TokenFailure": (
        "临时密钥的 Token 不对或已过期。长期密钥请不要填 Token。",
        "The Token of temporary keys is wrong or over. Leave it empty for permanent keys.",
    ),
    "AuthFailure.UnauthorizedOperation": (
        "这个密钥不能做这件事。",
        "This key may not do this.",
    ),
    "FailedOperation": ("操作没有完成，请重试。", "It could not be done. Try again."),
    "FailedOperation.DecryptSystemError": (
        "加密的参数打不开：公钥、算法、Iv 或标签有一个对不上。",
        "What came sealed cannot be opened: public key, algorithm, Iv or tags do not fit together.",
    ),
    "FailedOperation.EncryptSystemError": (
        "结果无法加密：请检查 Encryption 里的密钥和算法。",
        "The reply cannot be sealed: look at the key and the algorithm in Encryption.",
    ),
    "FailedOperation.ImageSizeTooLarge": (
        "照片转成 Base64 后超过上限。请缩小后再传。",
        "The photo is over the limit once it is Base64. Send a smaller one.",
    ),
    "FailedOperation.UnKnown": (
        "服务内部出错。用 RequestId 在服务日志里找原因。",
        "Something failed inside the server. Its log has the reason under the RequestId.",
    ),
    "InternalError": (
        "服务内部出错。用 RequestId 在服务日志里找原因。",
        "Something failed inside the server. Its log has the reason under the RequestId.",
    ),
    "InvalidAction": (
        "没有这个接口，请核对 X-TC-Action 的拼写与大小写。",
        "There is no such action. Mind spelling and case of X-TC-Action.",
    ),
    "InvalidParameter": (
        "某个参数不符合要求。LOCAL 要有照片，BUSINESS 要有姓名和证件号；请对照每个参数的说明。",
        "A parameter is not as it has to be. LOCAL needs a photo, BUSINESS a name and an ID number; see each "
        "parameter’s sentence.",
    ),
    "InvalidParameter.UnsupportEncryptField": (
        "EncryptList 里有不能加密的参数：只能是 Name、IdCard、ImageBase64。",
        "EncryptList names what may not be sealed: only Name, IdCard and ImageBase64 may.",
    ),
    "InvalidParameterValue": (
        "某个参数的取值不被接受，消息里写着是哪一个。",
        "A parameter’s value is not accepted; the message names it.",
    ),
    "InvalidParameterValue.BizTokenExpired": (
        "Token 的结果已过保存期，或数据已删除。请重新开始一次核验。",
        "The token’s result is past its time, or was erased. Begin a new verification.",
    ),
    "InvalidParameterValue.BizTokenIllegal": (
        "没有这个 Token，或它属于另一个账号。请检查有没有漏掉字符。",
        "There is no such token, or it belongs to another account. Look for missing characters.",
    ),
    "InvalidParameterValue.RuleIdDisabled": (
        "这个规则已停用。用 renzheng rule list 查看可用的规则。",
        "This rule is disabled. renzheng rule list shows those that can be used.",
    ),
    "InvalidParameterValue.RuleIdNotExist": (
        "没有这个规则。用 renzheng rule list 查看可用的规则。",
        "There is no such rule. renzheng rule list shows those that can be used.",
    ),
    "InvalidRequest": (
        "请求的 body 不完整或格式不对。",
        "The request’s body is incomplete, or not of its form.",
    ),
    "IpNotInWhitelist": (
        "这个密钥只能从指定的网络使用。运行 renzheng key addresses 查看或修改。",
        "This key may be used from some networks only: renzheng key addresses.",
    ),
    "LimitExceeded": ("超过了配额。", "A quota is used up."),
    "MissingParameter": (
        "缺少一个必填参数，消息里写着是哪一个。Region 也可能是必填的。",
        "A required parameter is missing; the message names it. Region may be one of them.",
    ),
    "NoSuchVersion": (
        "X-TC-Version 应为 2018-03-01。",
        "X-TC-Version has to be 2018-03-01.",
    ),
    "RequestLimitExceeded": (
        "每秒请求太多。请放慢，或用 renzheng account limit 提高上限。",
        "Too many requests a second. Slow down, or raise the limit: renzheng account limit.",
    ),
    "RequestLimitExceeded.IPLimitExceeded": (
        "这个地址同时上传的内容太多，请稍后再试。",
        "This address is sending too much at once. Try again in a moment.",
    ),
    "RequestLimitExceeded.UinLimitExceeded": (
        "这个密钥同时上传的内容太多，请稍后再试。",
        "This key is sending too much at once. Try again in a moment.",
    ),
    "RequestSizeLimitExceeded": (
        "请求太大。照片请缩小后再传。",
        "The request is too large. Send a smaller photo.",
    ),
    "ResponseSizeLimitExceeded": ("返回的内容太大。", "The reply would be too large."),
    "ServiceUnavailable": (
        "服务正忙或正在停止，请稍后重试。",
        "The server is busy or stopping. Try again in a moment.",
    ),
    "UnauthorizedOperation": ("账号不能做这件事。", "The account may not do this."),
    "UnauthorizedOperation.Arrears": (
        "账号余额用完了。充值：renzheng account topup。",
        "The account’s balance is used up: renzheng account topup.",
    ),
    "UnauthorizedOperation.Nonactivated": (
        "账号没有开通。开通：renzheng account activate。",
        "The account is not activated: renzheng account activate.",
    ),
    "UnknownParameter": (
        "请求里有接口没有的参数，消息里写着是哪一个。参数名区分大小写。",
        "The request has a parameter that the action lacks; the message names it. Case matters.",
    ),
    "UnsupportedOperation": ("不支持这种操作。", "This is not supported."),
    "UnsupportedProtocol": ("只接受 GET 和 POST。", "Only GET and POST are accepted."),
    "UnsupportedRegion": (
        "这个接口不在所填地域提供，请从列表里选一个。",
        "The action is not offered in this region. Choose one of the list.",
    ),
}


def of_parameter(action: str, path: str) -> Sentences | None:
    """What is said of a parameter, by its dotted path in the action's request."""
    return PARAMETERS.get(f"{action}.{path}") or PARAMETERS.get(path)
