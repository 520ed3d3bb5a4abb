"""The mistakes that make a signature wrong, each with a sentence that says what to do, in English and Chinese."""

from __future__ import annotations

CAUSES: dict[str, tuple[str, str]] = {
    # -- time and scope --
    "date-not-utc": (
        "The date is not the UTC date of X-TC-Timestamp; a local date differs for some hours of each day. "
        "Take the date from the timestamp, in UTC.",
        "日期不是 X-TC-Timestamp 对应的 UTC 日期；使用本地日期时，每天有几个小时会签名失败。"
        "请按 UTC 由时间戳推算日期。",
    ),
    "timestamp-differs": (
        "The timestamp that was signed is not the one in X-TC-Timestamp. Read the time once, and use it twice.",
        "参与签名的时间戳与 X-TC-Timestamp 不一致。请只取一次时间，两处使用同一个值。",
    ),
    "wrong-service": (
        "The signature was made for another service; it is `{service}`, in the scope and in the key.",
        "签名使用了其他产品名；凭证范围和派生密钥中的产品名都应为 `{service}`。",
    ),
    "service-from-endpoint": (
        "The service in Credential is the first label of the endpoint, as several SDKs put it there. Give this server "
        "a name whose first label is `{service}`, or start it with RENZHENG_LOCAL_SERVICES=true.",
        "Credential 中的产品名取自接入点域名的第一段（多个 SDK 会这样做）。请为服务配置以 `{service}` 开头的域名，"
        "或在启动时设置 RENZHENG_LOCAL_SERVICES=true。",
    ),
    # -- headers --
    "charset": (
        "The Content-Type that was signed and the one that was sent differ in their charset: the HTTP library or a "
        "proxy added or removed it. Sign the header as it is sent.",
        "参与签名的 Content-Type 与实际发送的 Content-Type 的 charset 不一致，通常由 HTTP 库或代理增删。"
        "请按实际发送的值签名。",
    ),
    "content-type": (
        "The Content-Type that was signed is not the one that was sent. Set it explicitly, and sign the same text.",
        "参与签名的 Content-Type 与实际发送的不同。请显式设置该请求头，并对同一取值签名。",
    ),
    "port-in-host": (
        "A port was signed as part of the host, and the Host header was sent without it.",
        "参与签名的 host 带有端口，而实际发送的 Host 头不带该端口。",
    ),
    "scheme-in-host": (
        "The host was signed with http:// or https:// in front of it, and sent without.",
        "参与签名的 host 带有 http:// 或 https:// 前缀，而实际发送的 Host 头没有。",
    ),
    "host-rewritten": (
        "The host that was signed did not arrive: a proxy changed the Host header. Let the proxy pass it on unchanged "
        "(nginx: `proxy_set_header Host $http_host;`).",
        "参与签名的 host 未原样到达：反向代理改写了 Host 头。请让代理透传 Host"
        "（nginx：`proxy_set_header Host $http_host;`）。",
    ),
    "other-host": (
        "The host that was signed is not the host that was called. Sign the host of the endpoint that you call.",
        "签名所用的 host 与实际请求的不同。请对实际访问的接入点的 host 签名。",
    ),
    "value-case": (
        "The value of a header was signed and sent with different upper and lower case.",
        "参与签名的头部取值与实际发送的取值大小写不一致。",
    ),
    # -- the body --
    "line-feeds-stripped": (
        "The body was signed with its line breaks and sent without them, as `curl -d @file` does. Send it unchanged: "
        "`curl --data-binary @file`.",
        "签名的请求体含换行，发送时换行被去掉，`curl -d @file` 就会这样。请原样发送：`curl --data-binary @file`。",
    ),
    "line-ends-translated": (
        "LF and CRLF were exchanged between signing and sending. Handle the body as bytes, not as text.",
        "签名后换行符在 LF 与 CRLF 之间被转换。请以字节而非文本方式处理请求体。",
    ),
    "byte-order-mark": (
        "A byte order mark (BOM) is in front of the body in one of the two: signed or sent. Write UTF-8 without a BOM.",
        "签名与发送的请求体有一方带 BOM。请使用不带 BOM 的 UTF-8。",
    ),
    "text-encoding": (
        "The text was signed in one character encoding and sent in another. Use UTF-8 for both.",
        "签名与发送使用了不同的字符编码。两者都应使用 UTF-8。",
    ),
    "body-compressed": (
        "The body was signed as it is and then compressed. Send it uncompressed, without Content-Encoding.",
        "请求体在签名之后被压缩。请不要压缩请求体，也不要发送 Content-Encoding。",
    ),
    "body-reserialised": (
        "The body that was signed and the body that was sent are different texts of the same JSON: sign the bytes that "
        "you send.",
        "参与签名的请求体与实际发送的请求体是同一 JSON 的不同序列化结果：请对实际发送的字节签名。",
    ),
    "payload-unsigned": (
        "Client and server disagree whether the signature covers the body: UNSIGNED-PAYLOAD was signed but not "
        "announced by X-TC-Content-SHA256 or not allowed for this key, or the other way round.",
        "请求体是否参与签名不一致：签名使用了 UNSIGNED-PAYLOAD，但未通过 X-TC-Content-SHA256 声明或该密钥不允许；"
        "或者相反。",
    ),
    # -- the query and the pairs --
    "query-order": (
        "The parameters were signed in another order than the method asks for: TC3 signs the query as it is sent, "
        "HmacSHA1 and HmacSHA256 sort by ASCII.",
        "参数的排序方式不对：TC3 对实际发送的查询串原样签名，HmacSHA1 和 HmacSHA256 按 ASCII 排序。",
    ),
    "query-reencoded": (
        "The query was encoded again between signing and sending, so that some characters (such as `~` or `'`) are "
        "written differently. Sign the query as it is sent, or send POST with a JSON body.",
        "查询串在签名之后被重新编码，个别字符（如 `~`、`'`）的写法不同。请对实际发送的查询串签名，"
        "或改用 POST 发送 JSON。",
    ),
    "encoded-before-signing": (
        "The parameters' values were URL-encoded before signing; HmacSHA1 and HmacSHA256 sign them decoded.",
        "参数值在签名前被 URL 编码；HmacSHA1 和 HmacSHA256 应对未编码的原始值签名。",
    ),
    "plus-not-encoded": (
        "A `+` was sent as it is, and stands for a space in a query or form. Write `%2B`: URL-encode every value, and "
        "the Signature.",
        "`+` 未编码就被发送，在查询串和表单中它表示空格。请写成 `%2B`：对每个取值（包括 Signature）做 URL 编码。",
    ),
    "boolean-text": (
        "A boolean was signed as one text and sent as another, as the PHP SDK does for false under HmacSHA1 and "
        "HmacSHA256. Use TC3-HMAC-SHA256, or leave the parameter out.",
        "布尔值签名时与发送时的写法不同；PHP SDK 在 HmacSHA1 和 HmacSHA256 下对 false 就是如此。"
        "请改用 TC3-HMAC-SHA256，或不传该参数。",
    ),
    "nested-parameters": (
        "Nested parameters were signed under other names than they were sent under, as the PHP SDK does under HmacSHA1 "
        "and HmacSHA256. Use TC3-HMAC-SHA256; else write them as `Encryption.EncryptList.0` in both.",
        "嵌套参数签名时与发送时的名称不同；PHP SDK 在 HmacSHA1 和 HmacSHA256 下就是如此。请改用 TC3-HMAC-SHA256，"
        "或两处都写成 `Encryption.EncryptList.0`。",
    ),
    "parameter-not-signed": (
        "A parameter was added after signing. HmacSHA1 and HmacSHA256 sign every parameter but Signature.",
        "有参数在签名之后才加入。HmacSHA1 和 HmacSHA256 要求除 Signature 外的所有参数都参与签名。",
    ),
    # -- the key --
    "space-around-key": (
        "White space, quotation marks, brackets or a comma stand before or after the SecretKey that was used. Remove "
        "them where the key is read.",
        "所用 SecretKey 的前面或后面有空白字符、引号、括号或逗号。请在读取时去掉。",
    ),
    "key-mistyped": (
        "The SecretKey that was used lacks its first or last character, is in another case, is written twice, or is "
        "encoded in Base64. Copy it whole, as it is.",
        "所用的 SecretKey 缺少首个或末尾字符、大小写被改变、重复了两次，或被 Base64 编码。请原样完整复制。",
    ),
    "empty-key": (
        "The request was signed with an empty SecretKey, or with a placeholder such as `null` or `YOUR_SECRET_KEY`. "
        "Check that the variable that holds the key is set.",
        "签名使用了空的 SecretKey，或 `null`、`YOUR_SECRET_KEY` 之类的占位文本。请检查保存密钥的变量是否已设置。",
    ),
    "key-of-another": (
        "The request was signed with the SecretKey of another SecretId.",
        "签名使用了另一个 SecretId 的 SecretKey。",
    ),
    "key-derivation": (
        "The signing key was derived in another way than documented. Start from `TC3` + SecretKey, and hand the bytes "
        "of each step to the next one, not their hex text.",
        "派生签名密钥的方式与文档不符。应从 `TC3` + SecretKey 开始，每一步把上一步的二进制结果（而非十六进制文本）"
        "作为密钥。",
    ),
    # -- the form --
    "canonical-form": (
        "The canonical request or the string to sign was put together in another way than documented.",
        "规范请求串或待签名字符串的拼接方式与文档不符。",
    ),
    "signature-form": (
        "The signature is right, and written in another form: TC3 takes lower-case hex, HmacSHA1 and "
        "HmacSHA256 Base64.",
        "签名计算正确，但书写形式不对：TC3 使用小写十六进制，HmacSHA1 和 HmacSHA256 使用 Base64。",
    ),
    "other-method": (
        "Another HTTP method was signed than was sent, or the algorithm is not the one that SignatureMethod names.",
        "参与签名的 HTTP 方法与实际发送的不同，或者签名算法与 SignatureMethod 不一致。",
    ),
    "other-path": (
        "Another path was signed than `/` or the one that was sent: a proxy rewrote it, or the slash at its end is "
        "missing. Sign `/`.",
        "参与签名的路径既不是 `/`，也不是实际发送的路径：可能被代理改写，或缺少末尾的斜杠。请对 `/` 签名。",
    ),
}
VALID = "valid"
MALFORMED = "malformed"
UNKNOWN_KEY = "unknown-key"
ID_MISTYPED = "id-mistyped"
SWAPPED = "id-and-key-swapped"
NONE_OF_THESE = "none-of-these"
NONE_BEHIND_PROXY = "none-behind-proxy"
OTHERS: dict[str, tuple[str, str]] = {
    VALID: ("The signature is right.", "签名正确。"),
    MALFORMED: ("The request is not a signed request in a form that can be read.", "请求不是可识别的已签名请求。"),
    UNKNOWN_KEY: (
        "The SecretId is not known here. `renzheng key list` shows those that are.",
        "SecretId 不存在。可用 `renzheng key list` 查看现有的 SecretId。",
    ),
    ID_MISTYPED: (
        "The SecretId is not known here, but one that is almost the same is: it has another case, quotation marks, or "
        "one character more or less. Copy it whole.",
        "SecretId 不存在，但与现有的某个 SecretId 几乎相同：大小写不同、带有引号，或多一个、少一个字符。请完整复制。",
    ),
    SWAPPED: (
        "A SecretKey was sent instead of the SecretId. Exchange the two in the client's configuration, and "
        "replace this key: it has been sent in the clear.",
        "在 SecretId 的位置发送了 SecretKey。请在客户端配置中对调两者，并更换该密钥：它已被明文发送。",
    ),
    NONE_OF_THESE: (
        "None of the known mistakes gives the client's signature: compare the SecretKey and the signed texts.",
        "不属于任何一种已知错误：请核对 SecretKey 和参与签名的文本。",
    ),
    NONE_BEHIND_PROXY: (
        "None of the known mistakes gives the client's signature. The request came through a proxy, which may have "
        "changed Host, Content-Type, the query or the body: set RENZHENG_PUBLIC_URL to the address that clients use, "
        "so that its host is tried, and compare what the client signed with what arrived.",
        "不属于任何一种已知错误。请求经过了代理，Host、Content-Type、查询串或请求体可能被改动："
        "请把 RENZHENG_PUBLIC_URL 设为客户端使用的地址，以便一并尝试其域名，并对照客户端签名的内容与实际收到的内容。",
    ),
}
