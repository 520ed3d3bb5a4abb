"""What to do about the gateway's own errors, in Chinese and English. Products bring the sentences for theirs.

The page's own sentences are in static/texts.js.
"""

from __future__ import annotations

Sentences = tuple[str, str]
"""Chinese, English."""

ADVICE: dict[str, Sentences] = {
    "AuthFailure.InvalidAuthorization": (
        "Authorization 格式错误：算法、Credential、SignedHeaders、Signature 缺一不可，产品名是 {service}。",
        "The form of the Authorization header is wrong: it needs the algorithm, Credential, SignedHeaders and "
        "Signature, and the service is {service}.",
    ),
    "AuthFailure.SecretIdNotFound": (
        "SecretId 不存在或已停用。在服务所在机器上运行 renzheng key show 查看。",
        "The server does not know this SecretId, or it is disabled. renzheng key show, on the server, lists it.",
    ),
    "AuthFailure.SignatureExpire": (
        "时间戳与服务器时间相差过大。请校准本机时钟，并在发送前再签名。",
        "The timestamp is too far from the server’s clock. Set this machine’s clock, and sign just before sending.",
    ),
    "AuthFailure.SignatureFailure": (
        "SecretKey 错误，或签名的内容与实际发送的不一致。请将签名的各个步骤与您的逐行对照。",
        "The SecretKey is wrong, or what was signed is not what was sent. Compare the steps of the signature with "
        "yours, line by line.",
    ),
    "AuthFailure.TokenFailure": (
        "临时密钥的 Token 错误或已过期。永久密钥请不要填写 Token。",
        "The Token of the temporary key is wrong or has expired. Leave it empty for a permanent key.",
    ),
    "AuthFailure.UnauthorizedOperation": (
        "该密钥没有此操作的权限。",
        "This key may not do this.",
    ),
    "FailedOperation": ("操作未完成，请重试。", "The operation failed. Try again."),
    "FailedOperation.DecryptSystemError": (
        "加密参数无法解密：公钥、算法、Iv 与 Tag 不匹配。",
        "The encrypted parameters cannot be decrypted: public key, algorithm, Iv and tags do not match.",
    ),
    "FailedOperation.EncryptSystemError": (
        "结果无法加密：请检查 Encryption 里的密钥和算法。",
        "The reply cannot be encrypted: check the key and the algorithm in Encryption.",
    ),
    "FailedOperation.UnKnown": (
        "服务内部错误。请凭 RequestId 在服务日志中查找原因。",
        "Something failed inside the server. Its log has the reason under the RequestId.",
    ),
    "InternalError": (
        "服务内部错误。请凭 RequestId 在服务日志中查找原因。",
        "Something failed inside the server. Its log has the reason under the RequestId.",
    ),
    "InvalidAction": (
        "接口不存在，请核对 X-TC-Action 的拼写与大小写。",
        "There is no such action. Check the spelling and case of X-TC-Action.",
    ),
    "InvalidParameter": (
        "参数不符合要求，请对照各参数的说明。",
        "A parameter is wrong. Read the sentence of each parameter.",
    ),
    "InvalidParameter.UnsupportEncryptField": (
        "EncryptList 中含有不支持加密的参数，Encryption 的说明列出了支持的参数。",
        "EncryptList has a parameter that cannot be encrypted. The sentence of Encryption names those that can.",
    ),
    "InvalidParameterValue": (
        "参数取值错误，错误信息中指出了是哪个参数。",
        "A parameter’s value is not accepted; the message names it.",
    ),
    "InvalidRequest": (
        "请求体不完整或格式错误。",
        "The body of the request is incomplete, or its format is wrong.",
    ),
    "IpNotInWhitelist": (
        "该密钥只能从指定的网段使用。请运行 renzheng key addresses 查看或修改。",
        "This key works from certain networks only. renzheng key addresses shows and changes them.",
    ),
    "LimitExceeded": ("超过了配额。", "A quota is used up."),
    "MissingParameter": (
        "缺少必填参数，错误信息中指出了是哪个参数。Region 也可能是必填的。",
        "A required parameter is missing; the message names it. Region may be one of them.",
    ),
    "NoSuchVersion": (
        "X-TC-Version 应为 {version}。",
        "X-TC-Version must be {version}.",
    ),
    "RequestLimitExceeded": (
        "请求频率超限。请降低频率，或用 renzheng account limit 提高上限。",
        "Too many requests a second. Slow down, or raise the limit: renzheng account limit.",
    ),
    "RequestLimitExceeded.IPLimitExceeded": (
        "该地址同时上传的数据过多，请稍后重试。",
        "This address is sending too much at once. Try again in a moment.",
    ),
    "RequestLimitExceeded.UinLimitExceeded": (
        "该密钥同时上传的数据过多，请稍后重试。",
        "This key is sending too much at once. Try again in a moment.",
    ),
    "RequestSizeLimitExceeded": (
        "请求过大，请缩小照片后再上传。",
        "The request is too large. Send a smaller photo.",
    ),
    "ServiceUnavailable": (
        "服务正忙或正在停止，请稍后重试。",
        "The server is busy or stopping. Try again in a moment.",
    ),
    "UnauthorizedOperation": ("账号没有此操作的权限。", "The account may not do this."),
    "UnknownParameter": (
        "请求中含有该接口不支持的参数，错误信息中指出了是哪个参数。参数名区分大小写。",
        "The request has a parameter that this action does not know; the message names it. Case matters.",
    ),
    "UnsupportedOperation": ("不支持这种操作。", "This operation is not supported."),
    "UnsupportedProtocol": ("只接受 GET 和 POST。", "Only GET and POST are accepted."),
    "UnsupportedRegion": (
        "该接口不支持所填地域，请从列表中选择。",
        "The action is not offered in this region. Choose one of the list.",
    ),
}
