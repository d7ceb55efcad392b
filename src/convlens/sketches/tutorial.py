"""Eight small models that teach convolution, one change at a time."""

from __future__ import annotations

from dataclasses import dataclass

INPUT_SHAPE = (3, 1440, 1080)
"""The picture that the lessons are drawn for: channels, rows, columns."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One model of the tutorial: ``sketch`` and ``seed`` build it, ``says`` tells what is new and where to look.

    ``title_th`` and ``says_th`` say the same in Thai. The weights are random, so a seed is chosen that leaves values of
    both signs where a ReLU follows.
    """

    number: int
    title: str
    title_th: str
    sketch: str
    says: str
    says_th: str
    seed: int = 0


TUTORIAL = (
    Lesson(
        1,
        "Three filters of 3x3",
        "ฟิลเตอร์ 3x3 สามตัว",
        "conv 3 3x3",
        "Each of the three filters has a kernel for red, one for green and one for blue, and makes one feature map. "
        "The maps are one pixel smaller on every side: there, a kernel would hang over the picture's edge.",
        "ฟิลเตอร์แต่ละตัวมีเคอร์เนลสามแผ่น สำหรับสีแดง สีเขียว และสีน้ำเงิน แล้วรวมกันเป็นฟีเจอร์แมปหนึ่งแผ่น "
        "แมปเล็กกว่าภาพด้านละหนึ่งพิกเซล เพราะตรงขอบนั้นเคอร์เนลจะยื่นออกไปนอกภาพ",
    ),
    Lesson(
        2,
        "Larger kernels: 10x10",
        "เคอร์เนลใหญ่ขึ้น: 10x10",
        "conv 3 10x10",
        "The same three filters with larger kernels: every value now mixes 100 pixels of each colour. Watch the fine "
        "hairs dissolve, and the parameters grow with the kernel's area, from 84 to 903.",
        "ยังเป็นฟิลเตอร์สามตัว แต่เคอร์เนลใหญ่ขึ้น แต่ละค่าจึงผสมพิกเซล 100 จุดจากแต่ละสี "
        "ลองดูเส้นขนที่ละเอียดค่อย ๆ เลือนหาย และพารามิเตอร์ที่เพิ่มตามพื้นที่ของเคอร์เนล จาก 84 เป็น 903",
    ),
    Lesson(
        3,
        "One filter of 3x3",
        "ฟิลเตอร์ 3x3 ตัวเดียว",
        "conv 1 3x3",
        "One filter instead of three. It still has a kernel for each colour, but their results are added up into a "
        "single map: the number of filters decides how many maps there are.",
        "ใช้ฟิลเตอร์ตัวเดียวแทนสามตัว ยังมีเคอร์เนลสำหรับแต่ละสีครบ แต่ผลของทุกเคอร์เนลถูกบวกรวมเป็นแมปแผ่นเดียว "
        "จำนวนฟิลเตอร์จึงเป็นตัวกำหนดว่าจะได้แมปกี่แผ่น",
    ),
    Lesson(
        4,
        "One filter of 20x20",
        "ฟิลเตอร์ 20x20 ตัวเดียว",
        "conv 1 20x20",
        "One filter again, with kernels of 20x20: one value looks at 400 pixels of each colour. The picture melts into "
        "soft shapes, and the map loses 19 rows and 19 columns.",
        "ฟิลเตอร์ตัวเดียวเช่นเดิม แต่เคอร์เนลเป็น 20x20 ค่าหนึ่งค่าจึงมองพิกเซล 400 จุดของแต่ละสี "
        "ภาพละลายเป็นรูปทรงนุ่ม ๆ และแมปหายไป 19 แถวกับ 19 คอลัมน์",
        seed=8,
    ),
    Lesson(
        5,
        "An activation: ReLU",
        "แอกทิเวชัน: ReLU",
        "conv 1 20x20 | relu",
        "ReLU turns every negative value into zero and leaves the others alone; it has nothing to learn and adds no "
        "parameters. Compare the two maps: whatever was below zero is now one even area.",
        "ReLU เปลี่ยนค่าลบทุกค่าให้เป็นศูนย์ ส่วนค่าอื่นคงไว้ตามเดิม ไม่มีอะไรต้องเรียนรู้ จึงไม่เพิ่มพารามิเตอร์เลย "
        "ลองเทียบแมปทั้งสอง ส่วนที่เคยต่ำกว่าศูนย์กลายเป็นพื้นเรียบเสมอกัน",
        seed=8,
    ),
    Lesson(
        6,
        "Pooling: the largest of 5x5",
        "พูลลิง: ค่าที่มากที่สุดใน 5x5",
        "conv 1 3x3 | maxpool 5x5",
        "Max pooling keeps the largest value of each 5x5 window, then moves on by 5. A 25th of the values is left and "
        "the cat is still a cat; the last 3 rows and 3 columns fill no window and are dropped.",
        "แมกซ์พูลลิงเก็บค่าที่มากที่สุดของหน้าต่าง 5x5 แล้วเลื่อนไปทีละ 5 ช่อง ค่าเหลือเพียงหนึ่งใน 25 แต่แมวก็ยังเป็นแมว "
        "ส่วน 3 แถวและ 3 คอลัมน์สุดท้ายไม่เต็มหน้าต่าง จึงถูกตัดทิ้ง",
    ),
    Lesson(
        7,
        "Convolution, ReLU, pooling",
        "คอนโวลูชัน ReLU และพูลลิง",
        "conv 1 3x3 | relu | maxpool 5x5",
        "The three steps that convolutional networks repeat, in their usual order. Pick one bright spot and follow it: "
        "the kernel makes it, ReLU lets it pass, pooling keeps it.",
        "สามขั้นตอนที่โครงข่ายคอนโวลูชันทำซ้ำ ๆ ตามลำดับที่ใช้กันทั่วไป ลองเลือกจุดสว่างสักจุดแล้วติดตามไป "
        "เคอร์เนลสร้างมันขึ้นมา ReLU ปล่อยให้ผ่าน และพูลลิงเก็บมันไว้",
    ),
    Lesson(
        8,
        "The same three steps, twice",
        "สามขั้นตอนเดิม ทำสองรอบ",
        "conv 1 3x3 | relu | maxpool 5x5 | conv 1 3x3 | relu | maxpool 5x5",
        "The second round reads the first one's map instead of the picture. Its kernel is only 3x3, and yet a value of "
        "the last map sees 37x37 pixels of the picture, 25 pixels on from what its neighbour sees.",
        "รอบที่สองอ่านแมปของรอบแรกแทนการอ่านภาพ เคอร์เนลมีขนาดเพียง 3x3 แต่ค่าหนึ่งค่าของแมปสุดท้ายมองเห็นภาพถึง "
        "37x37 พิกเซล ห่างจากบริเวณที่ค่าข้างเคียงมองเห็นไป 25 พิกเซล",
    ),
)
"""The lessons in their order."""
