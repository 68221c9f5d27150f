"""Letters of the portal to people: text and HTML, one per message id."""

from email.message import EmailMessage
from email.utils import formatdate

from flows.connectors.base import Post
from flows.connectors.smtp import smtp_server
from flows.settings import Mail


class SmtpLetters:
    """Letters by SMTP. Raises Unavailable (try again later), Gone (nobody has the address), Refused, Misconfigured."""

    def __init__(self, settings: Mail) -> None:
        self._settings = settings

    def send(self, post: Post) -> None:
        with smtp_server(self._settings) as server:
            server.send_message(letter(post, self._settings.sender), self._settings.sender, [post.to])


def letter(post: Post, sender: str) -> EmailMessage:
    """The letter as it goes out. Says that a machine wrote it, so that no absence notice answers (RFC 3834)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = f"Nástup <{sender}>", post.to, post.subject
    message["Message-ID"] = post.message_id if post.message_id.startswith("<") else f"<{post.message_id}>"
    message["Date"] = formatdate(localtime=False)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(post.text)
    message.add_alternative(post.html, subtype="html")
    message["Content-Language"] = post.language  # last: what is made multipart loses such fields to its first part
    return message
