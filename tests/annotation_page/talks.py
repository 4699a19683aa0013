"""Conversations with two answers each, as people meet them: code, tables, poems, hostile texts."""

RECURSION = """A recursive function calls **itself** on a smaller part of the problem, until the
part is so small that the answer is obvious.

```python
def factorial(n):
    if n == 0:          # the base case
        return 1
    return n * factorial(n - 1)
```

1. `factorial(3)` asks for `factorial(2)`,
2. which asks for `factorial(1)`,
3. which asks for `factorial(0)`, and that is 1.

Then the answers travel back: 1, 1, 2, 6. Without the base case it would never stop."""

RECURSION_LOOSE = """A recursive function calls **itself**. For example:

```python
def factorial(n):
    return n * factorial(n - 1)
```

`factorial(3)` asks for `factorial(2)`, which asks for `factorial(1)`, and so on. It is a powerful
technique that is used in many algorithms, such as sorting, searching and walking through trees,
and every programmer should know it well."""

TRAINS = """| Train | Leaves | Arrives | Changes |
|:--|--:|--:|--:|
| ICE 708 | 08:29 | 12:26 | 0 |
| ICE 1004 | 09:02 | 13:31 | 1 |

Take the **ICE 708**: it is the only one without a change and arrives 65 minutes earlier.

If you miss it, the next direct train leaves at 10:29 and arrives at 14:26, which is too late."""

TRAINS_LOOSE = """You could take the ICE 708 at 08:29, which arrives at 12:26, or the ICE 1004 at
09:02, which arrives at 13:31 with one change. Both are comfortable trains with a restaurant. It
depends on when you want to get up!

Have a nice trip, and do not forget your luggage."""

HOSTILE = """<script>document.title = "owned"</script> <img src=x onerror="document.title='owned'">

[a link](javascript:document.title='owned') and ![a picture](https://example.org/track.png)

<b onmouseover="document.title='owned'">bold</b> <iframe src="https://example.org"></iframe>"""

TALKS = [
    (
        [("user", "Explain recursion to somebody who has written a few loops.")],
        RECURSION,
        RECURSION_LOOSE,
    ),
    (
        [
            ("system", "You are a travel assistant. Answer briefly; compare in a table."),
            ("user", "I have to be in Munich before 1 p.m. tomorrow. What do you suggest?"),
            ("assistant", "Where do you leave from, and is a change all right?"),
            ("user", "Berlin. I'd rather not change, I have a lot of luggage."),
        ],
        TRAINS,
        TRAINS_LOOSE,
    ),
    (
        [("user", "Write a haiku about the sea in winter.")],
        "Grey waves fold and break,  \nthe gulls have nothing to say:  \nsalt on the window.",
        "The sea in winter is  \nvery cold and very deep  \nand also quite beautiful.",
    ),
    (
        [("user", "What is in this page? <script>document.title = 'owned'</script>")],
        HOSTILE,
        "It holds a `<script>` element that would change the window's title, and nothing else.",
    ),
]
