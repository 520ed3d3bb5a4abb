"""The audit's verbs in Chinese. The audit itself is in English for everybody."""

from __future__ import annotations

import re

VERBS = {
    "account activated": "启用账号",
    "account created": "创建账号",
    "account deactivated": "停用账号",
    "account renamed": "修改账号名称",
    "account's display set": "设置账号展示信息",
    "balance changed by {}": "余额变动 {}",
    "bucket authorised": "授权存储桶",
    "bucket revoked": "撤销存储桶授权",
    "called {} in the console": "在控制台调用 {}",
    "code refused": "验证码错误",
    "delivered again": "重新投递",
    "denied: another account": "越权访问其他账号，已拒绝",
    "denied: {}": "无权限，已拒绝：{}",
    "erasures replayed": "重放删除记录",
    "files of before the move removed": "删除迁移前的文件",
    "form of another page refused": "拒绝来自其他页面的表单",
    "frames judged again": "重新判定",
    "frames seen": "查看画面",
    "import {}": "批量导入：{}",
    "key created": "创建密钥",
    "key deleted": "删除密钥",
    "key disabled": "停用密钥",
    "key enabled": "启用密钥",
    "key is for {}": "密钥范围设为 {}",
    "key pairs made": "生成加密密钥对",
    "key pairs retired": "停用加密密钥对",
    "key shown": "查看密钥",
    "keys copied": "备份密钥库",
    "limit of {} set": "设置 {} 的频率限制",
    "master key rotated": "轮换主密钥",
    "moved to own key pairs": "改用独立的加密密钥对",
    "operator added": "添加人员",
    "operator is {}": "人员角色设为 {}",
    "operator is {}, disabled": "人员角色设为 {}，已停用",
    "operator's key made": "生成人员密钥",
    "operator's key used by command": "命令行使用人员密钥",
    "origins set": "设置网页来源",
    "password changed": "修改密码",
    "password refused": "密码错误",
    "password set by a link": "通过链接设置密码",
    "person enrolled": "登记人员",
    "person erased": "删除人员数据",
    "records adopted": "重新签名记录",
    "records copied": "备份记录",
    "recovery code used": "使用恢复码",
    "recovery codes made": "生成恢复码",
    "result shown": "查看结果",
    "rule created": "创建规则",
    "rule modified": "修改规则",
    "rule approved": "通过规则",
    "rule disabled": "停用规则",
    "rule draft": "规则退回草稿",
    "rule rejected": "驳回规则",
    "rule submitted": "提交规则",
    "second factor removed": "移除两步验证",
    "second factor set": "设置两步验证",
    "session ended from another": "从其他会话中结束会话",
    "session ended: used in another browser": "会话在其他浏览器中使用，已结束",
    "session erased": "删除核身数据",
    "session replaced": "会话被新登录取代",
    "sign-in refused": "拒绝登录",
    "sign-in reset": "重置登录方式",
    "signed in": "登录",
    "signed out": "退出登录",
    "single sign-on refused": "拒绝单点登录",
    "unsigned payload allowed": "允许不签名请求体",
    "unsigned payload forbidden": "禁止不签名请求体",
    "verification shown": "查看核身详情",
    "video seen": "查看视频",
}
_PATTERNS = [
    (re.compile(re.escape(verb).replace(r"\{\}", "(.+)")), chinese) for verb, chinese in VERBS.items() if "{}" in verb
]


def chinese_verb(verb: str) -> str:
    """Return the Chinese, or the verb itself if there is none, as for one from an older version."""
    if verb in VERBS:
        return VERBS[verb]
    for pattern, chinese in reversed(_PATTERNS):  # the longer one of two with the same beginning comes later
        if found := pattern.fullmatch(verb):
            return chinese.format(*found.groups())
    return verb
