"""Tells by a message's header and first words what came back: a report, an absence note, a
challenge; and a warning from the end.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from deliveries.bounces.mime import Fields, header


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


_MAILER = _any(
    r"mailer-?daemon|post ?master|mail(er)? delivery|delivery (sub)?system|mail ?delivery|mail "
    r"?system|mail administrator",
    r"undeliver|bounce|symantec_antivirus|\bndr@|<>|post[_. "
    r"-]master|mailer@|mdaemon@|mta@|mailagent|mail[-_ ]?(robot|gateway)",
    r"system administrator|microsoft exchange|administrador del sistema|administrateur "
    r"syst|amministratore di sistema"
    r"|systemadministrator",
    r"системный администратор|почтов\S* "
    r"(систем|служб)|邮件系统|郵件系統|系统管理员|系統管理員|시스템 "
    r"관리자|メール(配信|配送)?システム",
)
_UNDELIVERED = _any(
    r"undeliver|non-?deliver|not delivered|could not be delivered|unable to deliver|returned (to "
    r"sender|mail)|failure noti|delayed",
    r"delivery (status|report|has "
    r"failed|fail|notif|problem|error|warning|delay|not)|bounced?\b|automatically rejected",
    r"(mail|message|e-?mail|delivery) (\w+ )?(delivery|fail|could not|not "
    r"deliver|status|error|rejected|returned|warning|undeliver)",
    r"postmaster notify|nameserver error report|considered unsolicited|errors from|user unknown",
    r"(un|nicht )zustellbar|nicht (zugestellt|übermittelt)|zustell\w* "
    r".{0,30}(fehl|gescheitert|verzöger|nicht)|unzustell",
    r"non (remis|distribu|délivr|délivra)|(échec|problème|erreur) "
    r".{0,24}(remise|envoi|distribution|livraison)|remise .{0,12}(échou"
    r"|retard)",
    r"no (se )?(pudo |ha podido |puede )?entreg|(error|fallo|falla) "
    r".{0,16}(entrega|envío|envio)|correo (devuelto|rechazado)|devuelto",
    r"impossibile|non (è stato )?recapit|mancat[ao] (recapito|consegna)|consegna "
    r".{0,16}(fallit|non)|errore .{0,12}(consegna|recapito)",
    r"não (foi )?(entregue|enviad)|(falha|erro) .{0,16}(entrega|envio)|não entreg|devolvid",
    r"недостав|не (был[оаи]? )?доставлен|не удалось "
    r"(доставить|отправить)|(ошибка|сбой|отчет|отчёт) .{0,16}(доставк|отправк)"
    r"|возвращ[её]н",
    r"退信|退回|投递失败|投遞失敗|(无法|無法|未能)(送达|送達|投递|投遞|传递|傳遞|发送)|未(送达"
    r"|送達|传递|傳遞)|邮件(被|已)退",
    r"반송|(배달|전송|전달|발송)(에|이|되지)? ?(실패|못|않|할 수 없|불가|오류)|배달되지|전달되지",
    r"(配信|送信|配送)(エラー|不能|失敗|でき|不可|に失敗)|エラー(メール|通知)|届け(る|でき)|不達"
    r"|メールの配信|戻りました|返送",
    r"onbestelbaar|niet bezorgd|kan inte leverera|ej levererat|kunne ikke leveres|nie "
    r"dostarczon|niedostarcz|nedoruč|teslim edilemedi",
)
_ABSENT = _any(
    r"^(re: ?)?(auto(matic|mated)?[- "
    r":]?(re|response|answer|antwort|acknowledg)|ooo\b|away\b|vacation|absen[ct]|i am "
    r"(away|out))",
    r"^(re: ?)?on (vacation|leave|holiday)|out of (the )?office|auto[- ]?reply",
    r"abwesen|automatische antwort|réponse automatique|respuesta automática|risposta "
    r"automatica|resposta automática",
    r"fuera de (la "
    r")?oficina|afwezig|автоответ|自動(返信|応答|配信)|不在|休暇|自动(回复|答复)|自動(回覆"
    r"|答覆)",
    r"abwesenheit|nicht im büro|im urlaub|urlaubs(meldung|vertretung)|(message|notification) "
    r"d'absence|absence du bureau|en congés?\b",
    r"respuesta automática|ausencia|vacaciones|ausente|ausência|férias|fora do escritório|fuori "
    r"(sede|ufficio)|in ferie|assenza",
    r"\bautomatyczna odpowied|nieobecno|automatisch antwoord|automatická odpověď|autosvar",
    r"вне офиса|в отпуске|отсутству|автоматический ответ|부재 ?중|자동 "
    r"?(응답|회신)|휴가|外出|休假|不在办公室|出張|frånvaro|poissa",
)
_CHALLENGE = _any(
    r"(confirm|verify|approve|validate) (that "
    r")?(your|you|this|the|delivery)[^\n]{0,60}(message|e-?mail|mail|sender|sent|human|person)",
    r"challenge[- /]response|spamarrest|boxtrapper|sender verification|requires "
    r"confirmation|awaiting (your )?(approval|confirmation)",
    r"click[^\n]{0,60}to (release|deliver|confirm|verify)|(reply|respond) to this "
    r"(message|e-?mail)[^\n]{0,40}(confirm|deliver|release)",
    r"(held|quarantined|waiting)[^\n]{0,60}until you "
    r"(confirm|reply|verify|click|respond)|tmda|active spam killer|mailblocks|sender id "
    r"verif",
    r"your (e-?mail )?address (to be )?added to[^.]{0,60}(allow|approv|white|safe)",
    r"bestätigen "
    r"sie[^\n]{0,60}(absender|e-?mail|nachricht)|confirme[rz]?[^\n]{0,40}(expéditeur|remitente"
    r"|mensaje|message)|送信者(の)?確"
    r"認",
)
# Answers to what a message asked for (RFC 8098, RFC 5546): they speak of a person, not of a
# delivery.
_RECEIPT = _any(
    r"^(read|not read|lu|gelesen|ungelesen|nicht "
    r"gelesen|leído|letto|lida?|прочитано|已读|已讀|読み取り|開封(済み|確認)?|읽음)\s*[:：]",
    r"^(accepted|declined|tentative(ly accepted)?|zugesagt|abgesagt|mit "
    r"vorbehalt|accepté|refusé|provisoire|aceptad[oa]|rechazad[oa]"
    r"|承諾|辞退|仮承諾|仮の予定|принято|отклонено)\s*[:：]",
    r"^(return receipt|read receipt|lesebestätigung|accusé de (lecture|réception)|confirmación "
    r"de lectura|開封通知|開封確認)",
)
_DELAYED = _any(
    r"warning message only|this is a warning|warning only|advisory-only|only a notification "
    r"about a delay|temporary failure report",
    r"delivery[^\n]{0,30}delayed|has been (delayed|postponed)|is delayed for|not yet been "
    r"delivered|delivery incomplete",
    r"still being retried|will be retried|retry for \d|(will )?(continue|keep) (trying|to try|to "
    r"attempt)|attempts will continue",
    r"no action is required|配信が遅れ|再送を(試み|続け)",
)
_GIVEN_UP = _any(
    r"given up|failed permanently|permanent(ly)? (error|fail)|will be deleted|has been "
    r"returned|could not be delivered for \d+ days",
    r"no further (delivery )?attempts",
)
# MDaemon's "Warning: … - User unknown!" is no warning.
_NOBODY = _any(r"user unknown|unknown user|no such user")
_FAILED = _any(
    r"^(?![>|])[^\n]{0,200}?((could|can|was|were|has|have) ?(not|n't)|unable to|failed "
    r"to|cannot)(?: |[ \t]?\n[ \t]{0,8})(be |been )?deliver",
    r"^(?![>|])[^\n]{0,200}?(送信|配信|配送|お届け)(が)?(でき|に失敗)",
    r"^(?![>|])[^\n]{0,200}?(konnte|konnten|wurde) (nicht|leider nicht) "
    r"(zugestellt|übermittelt|gesendet|ausgeliefert)",
    r"^(?![>|])[^\n]{0,200}?(n'a|n'ont|ne) (pas )?(pu|peut)( pas)? être "
    r"(remis|distribu|délivr|envoy|livr)",
    r"^(?![>|])[^\n]{0,200}?no (se )?(pudo|ha podido|pudieron|fue posible|se puede) (ser "
    r")?(entreg|envia)",
    r"^(?![>|])[^\n]{0,200}?(não (pôde|pode|foi)( ser)? (entregue|enviad)|non (è stato "
    r"possibile|può essere) (recapit|consegn))",
    r"^(?![>|])[^\n]{0,200}?(не (может|могло|был[оа]?|удалось) (быть "
    r")?(доставлен|доставить))|(无法|無法|未能)(投递|投遞|送达|送達|发送"
    r"|傳遞)",
    r"^(?![>|])[^\n]{0,200}?((배달|전송|전달|발송)(되지 못|되지 않|할 수 없|에 실패)|delivery "
    r"(has |to [^\n]{0,100} )?failed)",
)
_ANSWER = _any(r"^(re|aw|antw|sv|fwd?|wg|tr|rv|回复|答复|返信)\s*[:：]")
_WARNS = _any(r"\bdelay|warning|遅延")
# RFC 3834, section 5, says Auto-Submitted; these were there before it.
_MARKS = (
    "x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply", "x-autoreply-from",
    "x-mail-autoreply", "x-vacation",
)  # fmt: skip


def is_receipt(fields: Fields, types: Collection[str]) -> bool:
    """Tell whether it is a read receipt (RFC 8098) or the answer to an invitation (RFC 5546): no
    delivery has failed.
    """
    if says_undelivered(fields):  # Dovecot and Sieve refuse in the form of a receipt (RFC 5429)
        return False
    given = header(fields, "content-type").lower()
    if "message/disposition-notification" in types or "disposition-notification" in given:
        return True
    if "text/calendar" in types and (
        "method=reply" in given or _RECEIPT.match(header(fields, "subject")) is not None
    ):
        return True
    return _RECEIPT.match(header(fields, "subject")) is not None


def comes_from_a_mailer(fields: Fields) -> bool:
    """Tell whether a mail system is the author. Return-Path does not tell: absence notes have a
    null one too.
    """
    return any(_MAILER.search(header(fields, name)) for name in ("from", "sender"))


def says_undelivered(fields: Fields) -> bool:
    return _UNDELIVERED.search(header(fields, "subject")) is not None


def is_an_answer(fields: Fields) -> bool:
    """Tell whether the subject is an answer's: a person who answers a report leaves it as it is."""
    return _ANSWER.match(header(fields, "subject")) is not None


def states_failure(text: str) -> bool:
    """Tell whether the text itself speaks of a failure, quotations left out."""
    return _FAILED.search(text[:4000]) is not None


def says_absent(fields: Fields) -> bool:
    return _ABSENT.search(header(fields, "subject")) is not None


def is_automatic(fields: Fields) -> bool:
    """Tell whether a program sent it. Reports are sent by programs too, so look for those first."""
    return _submitted(fields) not in ("", "no") or _is_marked_as_answer(fields)


def is_answer_of_program(fields: Fields) -> bool:
    """Tell whether a program answered: an absence note and its like.

    What it says beyond that was written by others (RFC 3834).
    """
    return _submitted(fields) == "auto-replied" or _is_marked_as_answer(fields)


def _submitted(fields: Fields) -> str:
    return header(fields, "auto-submitted").lower().partition(";")[0].strip()


def _is_marked_as_answer(fields: Fields) -> bool:
    precedence = header(fields, "precedence").lower().replace("-", "_")
    return precedence == "auto_reply" or _is_marked(fields) or says_absent(fields)


def _is_marked(fields: Fields) -> bool:
    return any(mark in fields for mark in _MARKS)


def is_challenge(fields: Fields, text: str) -> bool:
    """Tell whether a filter asks the sender to prove that a person wrote."""
    return any(_CHALLENGE.search(said) for said in (header(fields, "subject"), text[:4000]))


def is_delay(fields: Fields, text: str) -> bool:
    """Tell whether a report only warns: the mail system goes on trying."""
    if _GIVEN_UP.search(text) or _NOBODY.search(header(fields, "subject")):
        return False
    return _WARNS.search(header(fields, "subject")) is not None or _DELAYED.search(text) is not None
