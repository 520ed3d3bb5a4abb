"""The words of the report, in English and Chinese, and how it writes numbers."""

from __future__ import annotations

import math
from typing import Literal

from renzheng.evaluation.attack_texts import ATTACK_WORDS
from renzheng.evaluation.comparison_texts import COMPARISON_WORDS
from renzheng.evaluation.rates import ONE_SIDED, Rate

Language = Literal["en", "zh"]

WORDS: dict[str, tuple[str, str]] = {
    **COMPARISON_WORDS,
    **ATTACK_WORDS,
    "optimistic": ("optimistic: chosen on the same data", "偏乐观：阈值就是在这批数据上选的"),
    "of": ("{errors} of {trials}", "{trials} 次中 {errors} 次"),
    "of_images": ("{errors} of {trials} images", "{trials} 张图中 {errors} 张"),
    "interval": ("95 %: {range}", "95% 区间：{range}"),
    "at_most": ("at most {high}", "不超过 {high}"),
    "at_least": ("at least {low}", "不低于 {low}"),
    "says": ("What these numbers say, and what they do not", "这些数字说明了什么，没有说明什么"),
    "errors_of": ("of {trials}", "共 {trials} 次"),
    "range": ("95 % interval", "95% 区间"),
    "stage": ("Stage", "阶段"),
    "median": ("median", "中位数"),
    "p95": ("95th percentile", "第 95 百分位"),
    "definitions": ("Definitions", "定义"),
    "made": ("How this was made", "如何得出"),
    "command": ("Command", "命令"),
    "version": ("renzheng", "renzheng 版本"),
    "when": ("Made at", "生成时间"),
    "took": ("Took", "用时"),
    "seconds": ("{seconds} s", "{seconds} 秒"),
    "packs": ("Models", "模型"),
    "seed": ("Seed of the resampling", "重采样种子"),
    "footer": (
        "This file loads nothing from the network and contains no face and no name. The CSV files beside it may name "
        "images.",
        "本文件不从网络加载任何内容，也不含人脸与姓名。同目录的 CSV 文件可能含有图像文件名。",
    ),
}


class Words:
    """The report's words in one language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._column = ("en", "zh").index(language)

    def __call__(self, key: str, **fields: object) -> str:
        """Return the sentence `key` with its fields filled in. KeyError for an unknown one."""
        return WORDS[key][self._column].format(**fields)

    def maybe(self, kind: str, name: str) -> str:
        """Return the words for a name from the data; the name itself if there are none."""
        key = f"{kind}.{name}"
        return WORDS[key][self._column] if key in WORDS else name.replace("_", " ")

    def percent(self, value: float) -> str:
        """Return 0-1 as a percentage with two or three significant digits."""
        sign = " %" if self.language == "en" else "%"
        return f"{digits(100 * value)}{sign}"

    def range(self, rate: Rate) -> str:
        """Return the interval in words: two ends, or one if only one exists."""
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
        """Return a small rate in everyday words."""
        many = f"{round_to(1 / value, 2):,.0f}"
        return f"1 in {many}" if self.language == "en" else f"{many} 次中 1 次"


def round_to(value: float, figures: int) -> float:
    return round(value, figures - 1 - math.floor(math.log10(abs(value)))) if value else 0.0


def digits(value: float) -> str:
    """Return a number with two significant digits, three above ten, never in powers of ten."""
    if not value:
        return "0"
    if abs(value) >= 99.95:
        return f"{value:,.4g}" if abs(value) < 10000 else f"{value:,.0f}"
    figures = 3 if abs(value) >= 1 else 2
    places = max(0, figures - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
