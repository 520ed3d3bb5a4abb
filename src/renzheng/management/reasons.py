"""Reasons for refusals in Chinese: the store and the operations give theirs in English.

A reason without a translation is shown as it is.
"""

from __future__ import annotations

import re

CHINESE = {
    "{} is not a COS bucket name: it ends in the APPID, such as faces-1250000000":
        "{} 不是 COS 存储桶名，桶名应以 APPID 结尾，例如 faces-1250000000",
    "{} is not an endpoint; it looks like https://s3.example.com or http://host:9000":
        "{} 不是有效的访问地址，格式如 https://s3.example.com 或 http://host:9000",
    "an endpoint must not contain a user or password: give the key separately":
        "访问地址中不能含用户名或密码，密钥须单独填写",
    "{} is not a bucket name: 3 to 63 lower-case letters, digits, dots, hyphens":
        "{} 不是有效的桶名，应为 3 至 63 个小写字母、数字、点或连字符",
    "{} is not a region; it looks like ap-guangzhou": "{} 不是有效的地域，格式如 ap-guangzhou",
    "{} is not a prefix: up to {} letters, digits, dots, hyphens and underscores, with single slashes between":
        "{} 不是有效的前缀，最多 {} 个字母、数字、点、连字符或下划线，以单个斜杠分隔",
    "signed URLs are valid for 0 to {} hours, not {}": "签名地址的有效期为 0 至 {} 小时，不能是 {}",
    "{} is not a base URL; it looks like https://faces.example.com":
        "{} 不是有效的公开地址，格式如 https://faces.example.com",
    "signed URLs use the bucket's own host: leave out the base or the hours":
        "签名地址只能使用存储桶自身的域名，公开地址与签名地址的小时数不能同时填写",
    "{}. Nothing was changed": "{}。未作任何更改",
    "the account has authorised no bucket": "该账号没有授权存储桶",
    "account {} has authorised no bucket: renzheng bucket authorise": "账号 {} 没有授权存储桶",
    "there is no account {}": "没有账号 {}",
    "there is no key {}": "没有密钥 {}",
    "there is no operator {}": "没有人员 {}",
    "there is no operator of that name": "没有该名称的人员",
    "there is no such verification, or it is erased": "没有该核身记录，或已被删除",
    "this verification has no delivery: its token was without UseCos, or it is not judged yet":
        "该核身没有需要投递的内容：Token 未使用 UseCos，或尚未判定",
    "what was delivered of this verification is erased": "该核身已投递的内容已被删除",
    "it was delivered to another bucket than the account has authorised now":
        "它曾投递到另一个存储桶，不是账号当前授权的存储桶",
    "its evidence is no longer kept": "该核身的影像已不再保存",
    "this verification has no verdict yet": "该核身尚无结论",
    "models are missing: run renzheng models install": "缺少模型：请运行 renzheng models install",
    "models are missing: run renzheng models install, or send Look as false":
        "缺少模型：请运行 renzheng models install，或将 Look 设为 false",
    "the photos cannot be checked now; try again, or send Look as false":
        "暂时无法检查照片，请稍后重试，或将 Look 设为 false",
    "import {} accepts no more parts": "导入 {} 不能再上传分片",
    "import {} is {} and accepts no more parts": "导入 {} 处于 {} 状态，不能再上传分片",
    "import {} is {}, and cannot become {}": "导入 {} 处于 {} 状态，不能变为 {}",
    "import {} is {}": "导入 {} 处于 {} 状态",
    "there is no table yet: upload a part of the kind table": "还没有表格，请先上传 Kind 为 table 的分片",
    "a photo needs the name that it has in the table, at most 255 characters":
        "照片须有名称，与表格中的一致，最长 255 个字符",
    "the photo is not a JPEG or PNG": "照片不是 JPEG 或 PNG",
    "a part's number is 1 to {}": "分片编号为 1 至 {}",
    "part {} has to be sent again: it was not stored completely": "分片 {} 未完整保存，请重新上传",
    "account {} has no import {}": "账号 {} 没有导入 {}",
    "rule {} is yours: another person has to review it": "规则 {} 由您本人编写，须由其他人员审核",
    "rule {} is {}: reject or disable it first, or create another":
        "规则 {} 处于 {} 状态，请先驳回或停用，或另建规则",
    "rule {} is {}; only one that is {} can become {}": "规则 {} 处于 {} 状态，只有处于 {} 的规则才能变为 {}",
    "rule {} has been changed since you saw it": "规则 {} 在您查看之后已有变动，请重新查看",
    "a rule's name has 1 to {} printable characters": "规则名称为 1 至 {} 个可见字符",
    "the account already has a rule named {}": "该账号已有名为 {} 的规则",
    "account {} has no rule {}": "账号 {} 没有规则 {}",
    "a note has up to {} characters": "备注最长 {} 个字符",
    "{} is not a web origin; it looks like https://shop.example or http://localhost:3000":
        "{} 不是有效的网页来源，格式如 https://shop.example 或 http://localhost:3000",
    "{} is not a network; it looks like 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32":
        "{} 不是有效的网段，格式如 203.0.113.7、10.0.0.0/8 或 2001:db8::/32",
    "an account has at most {} web origins": "一个账号最多 {} 个网页来源",
    "a key has at most {} networks": "一个密钥最多 {} 个网段",
    "an account has at most {} keys: delete those that are not used": "一个账号最多 {} 个密钥，请删除不再使用的密钥",
    "an account has at most {} rules: modify one that is not used": "一个账号最多 {} 条规则，请修改不再使用的规则",
    "a rule has at most {} versions: create another rule": "一条规则最多 {} 个版本，请另建规则",
    "an account's name has 1 to 64 letters, digits, blanks, dots, hyphens or underscores":
        "账号名称为 1 至 64 个字母、数字、空格、点、连字符或下划线",
    "{} has at most {} printable characters": "{} 最长 {} 个可见字符",
    "a privacy link looks like https://shop.example/privacy": "隐私政策链接的格式如 https://shop.example/privacy",
    "there is already an account named {}": "已有名为 {} 的账号",
    "temporary keys last 1 to {} seconds, not {}": "临时密钥的有效期为 1 至 {} 秒，不能是 {}",
    "there is already a key with this SecretId": "该 SecretId 已存在",
    "account {} has no key {}": "账号 {} 没有密钥 {}",
    "a key is for {}, or for both": "密钥可用于 {}，或两者皆可",
    "a top-up is not 0 and at most {} verifications": "充值次数不能为 0，最多 {} 次",
    "account {} has an unlimited balance; make it prepaid first": "账号 {} 不限次数，请先改为预付",
    "a limit is 0 to 1000000 requests a second, not {}": "限额为每秒 0 至 1000000 次请求，不能是 {}",
    "evidence is limited to 0 to {} bytes, not {}": "影像限额为 0 至 {} 字节，不能是 {}",
    "the table has more than {} rows: split it into several imports": "表格超过 {} 行，请拆分后分多次导入",
    "the table has more than {} bytes: split it into several imports": "表格超过 {} 字节，请拆分后分多次导入",
    "the CSV file is neither UTF-8 nor GB 18030": "CSV 文件既不是 UTF-8 也不是 GB 18030 编码",
    "the import has problems; nothing was stored": "导入内容有误，未登记任何人",
    "the heading (row 1) lacks {}; it is {}": "表头（第 1 行）缺少 {}，应为 {}",
    "an ID number has 17 digits and a digit or X": "身份证号为 17 位数字加 1 位数字或 X",
    "the name is empty": "姓名为空",
    "the name has more than {} characters": "姓名超过 {} 个字符",
    "it has more than {} characters": "超过 {} 个字符",
    "a person with this ID number is enrolled already": "该身份证号已登记",
    "nobody with this ID number is enrolled": "没有登记该身份证号",
    "account {} has no person {}": "账号 {} 没有人员 {}",
    "a name has 1 to 64 letters, digits, blanks, dots, hyphens, underscores or @":
        "名称为 1 至 64 个字母、数字、空格、点、连字符、下划线或 @",
    "a merchant's person belongs to one account, everybody else to none":
        "商户人员须属于一个账号，其他人员不属于任何账号",
    "there is already an operator named {}": "已有名为 {} 的人员",
    "the last owner cannot be removed: nobody could give access any more":
        "不能移除最后一位所有者，否则无人能再授权他人",
}  # fmt: skip
"""The Chinese by the English reason. `{}` stands for a value; the values come in the same order."""


def _pattern(reason: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, reason.split("{}"))), re.DOTALL)


# Patterns that begin with a value match most texts, so they are tried last.
_IN_ORDER = sorted(CHINESE, key=lambda one: (one.startswith("{}"), -len(one)))
_PATTERNS = [(_pattern(one), CHINESE[one]) for one in _IN_ORDER]


def in_chinese(reason: str) -> str:
    """Return the reason in Chinese, or unchanged if there is none."""
    for pattern, chinese in _PATTERNS:
        if found := pattern.fullmatch(reason):
            return chinese.format(*(in_chinese(value) for value in found.groups()))
    return reason
