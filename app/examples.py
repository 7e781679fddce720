"""Prompts to try, written for this project."""

from __future__ import annotations

MATHS = """\
Solve each problem step by step and give the final number after "####".

Question: A baker sells 14 rolls in the morning and twice as many in the afternoon. Each roll costs 3 crowns. How many \
crowns does the baker take in that day?
Answer: In the afternoon the baker sells 14 * 2 = 28 rolls. Together that makes 14 + 28 = 42 rolls. At 3 crowns each \
that is 42 * 3 = 126 crowns.
#### 126

Question: Mira has 60 stickers. She gives a quarter of them to her brother and then buys 12 new ones. How \
many stickers does she have now?
Answer: Mira gives away 60 / 4 = 15 stickers, so she has 60 - 15 = 45 left. With the new ones she has 45 + 12 = 57.
#### 57

Question: A train travels at 80 km per hour for two and a half hours and then at 50 km per hour for one hour. How far \
does it travel in total?
Answer: The first part is 80 * 2.5 = 200 km. The second part is 50 * 1 = 50 km. In total it travels 200 + 50 = 250 km.
#### 250

Question: Jonas reads 18 pages every day. His book has 270 pages and he has already read 72 of them. In how many days \
will he have finished it?
Answer:"""

NEWS = """\
Classify each news article as World, Sports, Business or Technology. Reply with one word.

Article: The home side came from behind twice before a header in the last minute sent the travelling supporters home \
in silence.
Answer: Sports

Article: Shares in the shipping company fell by nine per cent after it warned that higher fuel prices would eat \
up most of its profit for the year.
Answer: Business

Article: Delegates from eleven countries met on Tuesday to agree on how the water of the shared river should \
be divided during the dry months.
Answer: World

Article: The new chip does the same work with half the energy, its makers say, and will first appear in hearing aids \
and watches.
Answer: Technology

Article: After three quarters of losses, the furniture chain says it will close twenty shops and sell more online.
Answer:"""

DOCUMENTS = """\
Answer the question using only the documents below. If they do not contain the answer, say so. Name the document.

Document 1: Harbour opening hours. From April to September the harbour office opens daily from 07:00 to 21:00. From \
October to March it opens on working days from 09:00 to 16:00. Outside these hours, call the duty officer on channel 12.

Document 2: Berth fees. A berth for a boat of up to 8 metres costs 22 euros a night, electricity included. For every \
further metre, 3 euros are added. Guests who stay for a week pay for six nights.

Document 3: History. The stone pier was built in 1871 after a storm had destroyed the wooden one. The lighthouse \
at its end has been automatic since 1964 and can be visited on the first Sunday of each month.

Document 4: Rules. The speed limit inside the harbour is 3 knots. Waste goes to the containers behind the office; oil \
must never be poured into the drains. Dogs are kept on a lead.

Question: How much does a boat of 10 metres pay for one week in a berth?
Answer:"""

AGENT = """\
You are the booking assistant of a small cinema. Be friendly, brief and exact.

Tools you can call:
1. find_shows(date, film) returns the shows with their times and free seats.
2. book(show_id, seats, name) books seats and returns a booking number.
3. cancel(booking_number) cancels a booking; it cannot be undone.

Rules you must always follow:
1. Never book before the customer has confirmed the date, the time and the number of seats.
2. Never cancel a booking unless the customer has given its number and said yes to cancelling.
3. If a show is sold out, offer the next show of the same film, and please do not promise that seats will become free.
4. Do not talk about prices of other cinemas. Do not give refunds; send the customer to the box office instead.
5. If you are not sure what the customer wants, kindly ask one short question.

The customer writes: Hello! I would really like to see the film about the lighthouse on Friday evening with my \
two kids, if that is at all possible. Thank you so much!"""

REVIEW = """\
You review code. Read the diff and list only real problems: wrong results, crashes, leaks, races. Name file and line, \
say what goes wrong and how to fix it. Do not comment on style. If there is nothing wrong, reply "No problems found".

File: cart/total.py
 12  def total(items, discount=0):
 13      result = 0
 14      for item in items:
 15          result += item.price * item.count
 16      return result - result * discount / 100

File: cart/coupon.py
 31  def apply(cart, code, used=[]):
 32      if code in used:
 33          raise CouponError("already used")
 34      used.append(code)
 35      cart.discount = COUPONS[code].percent
 36      return total(cart.items, cart.discount)

File: cart/views.py
 54  def checkout(request):
 55      cart = Cart.load(request.session["cart"])
 56      apply(cart, request.POST.get("coupon"))
 57      charge(request.user, total(cart.items))
 58      return redirect("/thanks")

Findings:"""

EXAMPLES: dict[str, str] = {
    "Maths, few-shot": MATHS,
    "News labels": NEWS,
    "Documents + question": DOCUMENTS,
    "Agent's instructions": AGENT,
    "Code review": REVIEW,
}
