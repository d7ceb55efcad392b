"""What is said to whom is refused: JSON to a program, one calm page to a browser, in English and Thai."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, JSONResponse, Response

from convlens.hosts.wire.schema import ProblemFact

_STYLE = (
    "body{font:17px/1.6 system-ui,sans-serif;max-width:36rem;margin:12vh auto;padding:0 1.5rem;color-scheme:light dark}"
    "h1{font-size:1.3rem}section+section{margin-top:2.5rem}code{overflow-wrap:anywhere}"
)
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_WORDS: dict[int, dict[str, tuple[str, ...]]] = {
    401: {
        "en": (
            "This page needs its whole address",
            "When convlens was started it printed an address that ends in <code>?token=</code> and a long word. "
            "Open all of it: the word is the key to this page.",
            "If it was started again since, the key is another one: take the newest address in the terminal. "
            "Where you can't find it, press Ctrl-C there and type <code>convlens view</code> again.",
        ),
        "th": (
            "ต้องเปิดหน้านี้ด้วยที่อยู่แบบเต็ม",
            "ตอนเริ่มทำงาน convlens พิมพ์ที่อยู่ซึ่งลงท้ายด้วย <code>?token=</code> ตามด้วยคำยาว ๆ ให้เปิดที่อยู่นั้นทั้งหมด "
            "เพราะคำนั้นคือกุญแจของหน้านี้",
            "หากเริ่มใหม่หลังจากนั้น กุญแจจะเปลี่ยนไป ให้ใช้ที่อยู่ล่าสุดในเทอร์มินัล หากหาไม่พบ ให้กด Ctrl-C ในเทอร์มินัล "
            "แล้วพิมพ์ <code>convlens view</code> อีกครั้ง",
        ),
    },
    421: {
        "en": (
            "This server goes by another name",
            "Open the address that convlens printed when it was started, as it is.",
        ),
        "th": ("เซิร์ฟเวอร์นี้ใช้ชื่ออื่น", "ให้เปิดที่อยู่ที่ convlens พิมพ์ไว้ตอนเริ่มทำงาน โดยไม่แก้ไข"),
    },
    403: {
        "en": (
            "Another site may not ask this server",
            "Open the address that convlens printed when it was started in a tab of its own.",
        ),
        "th": ("เว็บไซต์อื่นเรียกเซิร์ฟเวอร์นี้ไม่ได้", "ให้เปิดที่อยู่ที่ convlens พิมพ์ไว้ตอนเริ่มทำงานในแท็บใหม่"),
    },
}


def refused(
    headers: Headers, status: int, problem: str, expected: str = "", received: str = "", hint: str = ""
) -> Response:
    """The refusal, as a page where ``headers`` say that a person opens it."""
    if status in _WORDS and "text/html" in headers.get("accept", "").lower():
        page = _page(_WORDS[status], headers.get("accept-language", ""))
        return HTMLResponse(page, status, {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})
    fact = ProblemFact(problem=problem, expected=expected, received=received[:200], hint=hint)
    return JSONResponse(fact, status, {"Cache-Control": "no-store"})


def _page(words: dict[str, tuple[str, ...]], accepted: str) -> str:
    """Both languages, the reader's own first."""
    places = {name: at for name in words if (at := accepted.lower().find(name)) >= 0}
    order = sorted(words, key=lambda name: (places.get(name, len(accepted)), name))
    parts = []
    for name in order:
        title, *texts = words[name]
        parts.append(f"<section lang={name}><h1>{title}</h1>{''.join(f'<p>{text}' for text in texts)}</section>")
    return (
        f"<!doctype html><html lang={order[0]}><meta charset=utf-8>"
        f"<meta name=viewport content='width=device-width'><title>{escape(words[order[0]][0])} · convlens</title>"
        f"<style>{_STYLE}</style><main>{''.join(parts)}</main></html>"
    )
