"""The words of the mock: sentence patterns in English and Chinese, as data.

Placeholders: `{s}` the subject, `{year}` `{year2}` years, `{pct}` a percentage, `{n}` a number,
`{f}` `{g}` factors, `{a}` who acts or measures. The claims are invented and say nothing about the
world.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["facts", "figures", "disputed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """Everything one language needs. Sentences end with `stop` and are joined by `gap`."""

    gap: str
    stop: str
    questions: tuple[str, ...]
    thoughts: tuple[str, ...]
    paragraphs: dict[Role, tuple[str, ...]]
    factors: tuple[str, ...]
    actors: tuple[str, ...]
    report_title: str
    introduction: str
    conclusion: str
    opening: tuple[str, ...]
    section: tuple[str, ...]
    closing: tuple[str, ...]
    gap_note: str
    general: tuple[str, ...]
    after_tool: str


ENGLISH = Phrases(
    gap=" ",
    stop=".",
    questions=(
        "What is the current state of {s}, and how is it measured?",
        "Which forces have driven {s} over the past ten years?",
        "Who are the main actors in {s}, and how do their interests differ?",
        "What does the best available evidence say about {s}, and how reliable is it?",
        "How does {s} differ between countries, sectors or groups?",
        "What are the costs, risks and side effects connected with {s}?",
        "Which disagreements about {s} remain open among specialists?",
        "How is {s} likely to develop over the next five to ten years?",
        "Which methods and data are used to study {s}, and where do they fall short?",
        "What practical measures concerning {s} have been tried, and with what result?",
        "How did {s} begin, and which turning points shaped it?",
        "What would change most if {s} were approached differently?",
    ),
    thoughts=(
        "The question is about {s}, so I should first settle what is meant by it.",
        (
            "There are two readings of this, a narrow one and a broad one; the broad one serves a"
            " report better."
        ),
        "Let me think about {f} first, because most accounts begin there.",
        (
            "I should not overstate this: the figures for {year} and {year2} are not comparable"
            " without adjustment."
        ),
        "One source of error is {g}; I should say how large it could be.",
        (
            "Is {f} a cause here, or only something that happens at the same time? The evidence"
            " points both ways."
        ),
        "{a} would probably put more weight on {g} than on {f}.",
        "A change of about {pct} % sounds plausible, but it depends on where one starts to count.",
        "What would someone object? That {f} explains most of it without {s}.",
        "That objection is fair for the years before {year}; later it is weaker.",
        (
            "I want facts first, then figures with their dates, then what is disputed, then what is"
            " not known."
        ),
        (
            "Let me check that against the other direction: if {g} grew, would {s} follow? Not"
            " necessarily."
        ),
        (
            "The answer has to stand on its own, so I should name the subject and not refer back to"
            " the question."
        ),
        "I could mention {n} cases, but two or three carry the argument.",
        "So the main line is {f}, with {g} as the strongest qualification.",
        "I should end with what cannot be known yet, rather than with a guess.",
    ),
    paragraphs={
        "facts": (
            "The discussion of {s} rests on a small number of well documented facts.",
            (
                "Since {year}, {f} has been the factor that most accounts of {s} put first, with"
                " {g} close behind."
            ),
            (
                "What sets {s} apart is that {f} and {g} act at different speeds, one within"
                " months, one over years."
            ),
            (
                "{a} describe the same pattern in slightly different words: a slow beginning, a"
                " rapid middle, a plateau."
            ),
            (
                "In practice {s} depends less on any single decision than on how {f} and {g} are"
                " combined."
            ),
        ),
        "figures": (
            (
                "Published estimates for {year2} put the change at about {pct} %, against less than"
                " half in {year}."
            ),
            "A survey of {n} cases finds that roughly {pct} % of the variation goes with {f}.",
            (
                "Between {year} and {year2} the reported level rose by {pct} %, although the"
                " definition changed once."
            ),
            (
                "The highest estimate is about {n} times the lowest, and the range has narrowed"
                " only slowly."
            ),
            "Where {f} was counted separately, its share came to {pct} % in {year2}.",
        ),
        "disputed": (
            "It is disputed whether {f} is a cause or merely a companion of the change.",
            (
                "{a} hold that {g} has been overrated; their critics answer that the samples before"
                " {year} were too small."
            ),
            (
                "A second disagreement concerns {s} as a category: some authors would rather split"
                " it in two."
            ),
            (
                "Attempts to repeat the central result have succeeded in about {pct} % of cases,"
                " which both sides quote."
            ),
        ),
        "unknown": (
            (
                "Not known is how {s} will react if {f} and {g} move in opposite directions: it has"
                " not happened yet."
            ),
            (
                "Reliable data before {year} are missing, and those that exist cannot simply be"
                " extended backwards."
            ),
            (
                "The open question is one of mechanism: the correlation with {g} is stable, its"
                " explanation is not."
            ),
            (
                "Until {n} independent cases have been followed for years, any forecast about {s}"
                " is provisional."
            ),
        ),
    },
    factors=(
        "the cost of entry",
        "public regulation",
        "the quality of the data",
        "demographic change",
        "access to capital",
        "technical standardisation",
        "training",
        "the supply of materials",
        "regional variation",
        "long-term demand",
        "the speed of adoption",
        "institutional trust",
        "the price of energy",
        "competition between suppliers",
    ),
    actors=(
        "Public agencies",
        "Independent researchers",
        "Industry associations",
        "Practitioners in the field",
        "The larger suppliers",
        "Reviewers of the literature",
        "International bodies",
    ),
    report_title="# Report: {s}",
    introduction="## Introduction",
    conclusion="## Conclusion",
    opening=(
        "This report brings together what the research notes say about {s}, section by section.",
        (
            "It separates what is established from what is disputed, and names the note that each"
            " statement comes from."
        ),
    ),
    section=(
        "The notes agree that {f} carries most of the weight here",
        "The picture is qualified by {g}, which the figures for {year2} do not settle",
        "Where estimates are given they differ by about {pct} %, mostly because definitions differ",
        "What remains open is how {f} and {g} act together over longer periods",
    ),
    closing=(
        (
            "Taken together, the notes show {s} as a matter of {f} and {g} rather than of a single"
            " cause."
        ),
        "The strongest evidence concerns the recent past; the weakest concerns the years ahead.",
    ),
    gap_note="There are no notes on sub-question {n}, so this report leaves that part open.",
    general=(
        "In short, {s} comes down to {f} and {g}.",
        (
            "The first of them sets the limits of what is possible; the second decides how fast it"
            " happens."
        ),
        (
            "Since {year} the balance between the two has shifted by about {pct} %, and it is still"
            " moving."
        ),
        (
            "A good next step is to look at {n} concrete cases and to see whether the pattern holds"
            " there."
        ),
        "{a} would add that definitions differ, so figures should be compared with care.",
    ),
    after_tool="According to the tool, the result is: {result}.",
)

CHINESE = Phrases(
    gap="",
    stop="。",
    questions=(
        "{s}的现状如何，通常用哪些指标来衡量？",
        "过去十年间，哪些因素推动了{s}的变化？",
        "与{s}相关的主要参与者有哪些，他们的利益诉求有何不同？",
        "关于{s}，目前最可靠的证据说明了什么，其可信度如何？",
        "{s}在不同国家、地区或群体之间有哪些差异？",
        "与{s}相关的成本、风险和副作用有哪些？",
        "专家们在{s}问题上还存在哪些尚未解决的分歧？",
        "未来五到十年，{s}可能会如何发展？",
        "研究{s}主要使用哪些方法和数据，存在哪些不足？",
        "围绕{s}已经采取过哪些实际措施，效果如何？",
        "{s}是如何起步的，经历了哪些关键转折点？",
        "如果换一种思路处理{s}，最可能改变的是什么？",
    ),
    thoughts=(
        "问题的核心是{s}，首先需要明确它的含义。",
        "这个问题有广义和狭义两种理解，写报告时采用广义的理解更合适。",
        "先考虑{f}，因为多数论述都从这里开始。",
        "这里不能夸大：{year}年和{year2}年的数据口径不同，不能直接比较。",
        "误差的一个来源是{g}，应当说明它可能有多大。",
        "{f}到底是原因，还是只是同时发生的现象？两方面的证据都有。",
        "{a}可能更看重{g}，而不是{f}。",
        "大约{pct}%的变化听起来合理，但取决于从哪一年开始计算。",
        "可能的反对意见是：不考虑{s}，仅用{f}也能解释大部分现象。",
        "对{year}年以前的情况，这种反对意见是成立的，之后就不太站得住脚了。",
        "回答的顺序应当是：先讲事实，再讲带年份的数据，然后是争议，最后是未知之处。",
        "反过来检验一下：如果{g}增强，{s}一定会随之变化吗？不一定。",
        "回答要能够独立阅读，因此应当直接点明主题。",
        "可以举出{n}个案例，但两三个就足以说明问题。",
        "所以主线是{f}，而{g}是最重要的限定条件。",
        "结尾应当说明目前还无法确定的内容，而不是给出猜测。",
    ),
    paragraphs={
        "facts": (
            "关于{s}的讨论，建立在少数几个有充分记录的事实之上。",
            "自{year}年以来，多数研究都把{f}列为影响{s}的首要因素，其次是{g}。",
            "{s}的特殊之处在于，{f}和{g}作用的时间尺度不同，前者以月计，后者以年计。",
            "{a}用不同的说法描述了同一种规律：起步缓慢，中期加速，随后进入平台期。",
            "在实践中，{s}并不取决于某一个决定，而取决于{f}与{g}如何配合。",
        ),
        "figures": (
            "{year2}年公布的估计显示，变化幅度约为{pct}%，而{year}年还不到这一水平的一半。",
            "一项覆盖{n}个案例的调查发现，约{pct}%的差异与{f}有关。",
            "从{year}年到{year2}年，报告的水平上升了{pct}%，不过其间统计口径调整过一次。",
            "最低估计与最高估计之间差距很大，约为1比{n}，而且缩小得很慢。",
            "在单独统计{f}的地区，{year2}年其占比达到{pct}%。",
        ),
        "disputed": (
            "目前仍有争议的是，{f}究竟是变化的原因，还是仅仅与变化同时出现。",
            "{a}认为{g}的作用被高估了；批评者则指出，{year}年以前的样本太小。",
            "另一个分歧在于{s}这一范畴本身，有学者主张把它拆成两类。",
            "对核心结论的重复检验约有{pct}%获得成功，争论双方都引用这一数字来支持自己。",
        ),
        "unknown": (
            "尚不清楚的是，当{f}与{g}朝相反方向变化时{s}会如何反应，因为这种情况还没有出现过。",
            "{year}年以前缺乏可靠数据，现有数据也不能简单地向前推算。",
            "未解决的主要是机制问题：与{g}的相关性是稳定的，但对它的解释并不稳定。",
            "在对{n}个以上独立案例进行多年跟踪之前，任何关于{s}的预测都只是暂时的。",
        ),
    },
    factors=(
        "进入成本",
        "公共监管",
        "数据质量",
        "人口结构变化",
        "资本可得性",
        "技术标准",
        "人才培养",
        "原材料供应",
        "地区差异",
        "长期需求",
        "推广速度",
        "制度信任",
        "能源价格",
        "供应商之间的竞争",
    ),
    actors=(
        "政府部门",
        "独立研究者",
        "行业协会",
        "一线从业者",
        "大型供应商",
        "综述作者",
        "国际组织",
    ),
    report_title="# 报告：{s}",
    introduction="## 引言",
    conclusion="## 结论",
    opening=(
        "本报告汇总了研究笔记中关于{s}的内容，并分节加以说明。",
        "报告区分了已经确认的结论和仍有争议的内容，并注明每一处陈述所依据的笔记。",
    ),
    section=(
        "笔记一致认为，{f}在这里起主要作用",
        "{g}对这一结论有所限定，{year2}年的数据尚不足以作出判断",
        "各种估计之间相差约{pct}%，主要原因是定义不同",
        "仍待回答的是，{f}与{g}在更长时间内如何共同作用",
    ),
    closing=(
        "综合来看，笔记表明{s}并非由单一原因决定，而是{f}与{g}共同作用的结果。",
        "证据最充分的是近期的情况，最薄弱的是对未来的判断。",
    ),
    gap_note="子问题{n}没有研究笔记，本报告对这一部分暂不作结论。",
    general=(
        "简单来说，{s}主要取决于{f}和{g}。",
        "前者决定了可能的范围，后者决定了变化的快慢。",
        "自{year}年以来，两者之间的平衡变动了约{pct}%，而且仍在变化。",
        "下一步可以考察{n}个具体案例，看看这一规律是否成立。",
        "{a}还会补充说，各方定义不同，比较数据时应当谨慎。",
    ),
    after_tool="根据工具返回的结果：{result}。",
)
