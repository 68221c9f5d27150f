"""Handing in mail by SMTP, and what the server's answers mean."""

import smtplib
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from flows.connectors.base import Gone, Misconfigured, Refused, Unavailable
from flows.sentence import say
from flows.settings import Mail

SECONDS = 15


@cache
def trust(certificate: Path | None) -> ssl.SSLContext:
    """Certificates of the mail servers are checked, also on loopback: a proof message carries a secret."""
    return ssl.create_default_context(cafile=str(certificate) if certificate else None)


@contextmanager
def smtp_server(settings: Mail) -> Generator[smtplib.SMTP]:
    """The server that takes mail for our domains, under TLS when it offers it. Raises Unavailable, Gone (550), Refused, Misconfigured."""
    try:
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=SECONDS) as server:
            server.ehlo_or_helo_if_needed()
            if server.has_extn("starttls"):
                server.starttls(context=trust(settings.certificate))
                server.ehlo()
            yield server
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(say("The certificate of the mail server is not trusted."), f"smtp: {error.verify_message}") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(min(code for code, _ in error.recipients.values())) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code) from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(say("The mail server does not answer."), f"smtp: {type(error).__name__}") from None


def _refused(code: int) -> Unavailable | Gone | Refused:
    if code < 500:
        return Unavailable(say("The mail server asks for patience."), f"smtp: {code}")
    if code in (550, 551, 553, 554):
        return Gone(say("The mail server does not know the address."), f"smtp: {code}")
    return Refused(say("The mail server does not take the message."), f"smtp: {code}")
