"""The same in other languages, as the mail systems of their countries say it: Japanese first,
which our users read most.
"""

from __future__ import annotations

from deliveries.classification.rules import phrases
from suppressions.classes import Class

JAPANESE = (
    *phrases(
        Class.TOO_LARGE,
        ("ja-size", r"(メール|メッセージ|添付).{0,10}サイズ.{0,10}(超|大き|制限)",
            "メッセージのサイズが制限を超えています"),
    ),
    *phrases(
        Class.MAILBOX_FULL,
        ("ja-room", r"(容量|サイズ|制限)(を|が)?(超|オーバー|いっぱい|一杯|不足)|空き容量",
            "メールボックスの容量を超えています"),
        ("ja-full", r"(メール)?ボックス(が|は)?.{0,8}(いっぱい|一杯|満杯|フル)",
            "受信者のメールボックスがいっぱいです"),
    ),
    *phrases(
        Class.MAILBOX_DISABLED,
        ("ja-stopped", (r"(利用|使用|契約).{0,6}(停止|解除|終了)|一時停止|アカウント.{0,8}(無効"
            r"|停止)|解約"),
         "このアカウントは利用停止中です"),
    ),
    *phrases(
        Class.RECIPIENT_REFUSED,
        ("ja-refused", r"受信(を)?拒否|受信者.{0,12}(拒否|設定)|迷惑メール.{0,10}設定",
            "受信者側の設定により受信拒否されました"),
    ),
    *phrases(
        Class.UNKNOWN_DOMAIN,
        ("ja-domain", r"ドメイン.{0,16}(存在し|見つか|不明|ありません)",
            "宛先のドメインが見つかりませんでした"),
    ),
    *phrases(
        Class.UNKNOWN_USER,
        ("ja-nobody", r"(宛先|あて先|アドレス|ユーザー?|受信者|アカウント).{0,16}(存在し(ま|て|な)"
            r"|見つか(りません|らなかった)|ありません"
                      r"|不明|登録されてい)",
         "宛先のメールアドレスは存在しません"),
        ("ja-wrong", r"(宛先|あて先|アドレス).{0,12}(間違|誤り|無効|使われてい)",
            "宛先のメールアドレスに誤りがあります"),
        ("ja-moved", r"転居|アドレス.{0,6}変更", "アドレスが変更されました", "moved"),
    ),
    *phrases(Class.POLICY,
        ("ja-policy", r"ポリシー(により|違反)|許可されてい",
            "セキュリティポリシーにより配信できません")),
    *phrases(
        Class.NETWORK,
        ("ja-connection", r"接続(でき|に失敗|エラー|が拒否)|タイムアウト|応答があり",
         "相手先のサーバーに接続できませんでした", "connection"),
        ("ja-expired", r"(配信|配送|再送)期限", "配送期限を過ぎました", "expired"),
    ),
)  # fmt: skip

EUROPEAN = (
    *phrases(
        Class.MAILBOX_FULL,
        ("fr-full", r"boîte .{0,25}pleine|boite .{0,25}pleine|quota dépassé",
            "La boîte du destinataire est pleine"),
        ("de-full", r"(postfach|mailbox) .{0,12}voll\b", "Das Postfach ist voll"),
        ("es-full", r"buzón .{0,40}llen|caixa .{0,25}cheia|casella .{0,20}piena",
            "El buzón del destinatario está lleno"),
        ("ru-full", r"ящик .{0,20}переполнен", "Почтовый ящик переполнен"),
    ),
    *phrases(
        Class.MAILBOX_DISABLED,
        ("fr-disabled", r"compte .{0,20}(désactivé|suspendu|bloqué)", "Ce compte a été désactivé"),
        ("de-disabled", r"konto .{0,20}(gesperrt|deaktiviert)", "Das Konto ist gesperrt"),
        ("es-disabled", r"cuenta .{0,25}(desactivad|suspendid|deshabilitad)",
            "La cuenta está suspendida"),
        ("ru-disabled", r"(ящик|пользователь|аккаунт) .{0,20}заблокирован",
            "Пользователь заблокирован"),
    ),
    *phrases(
        Class.UNKNOWN_DOMAIN,
        ("fr-domain", r"domaine .{0,30}(inconnu|n'existe)", ("Le domaine du destinataire "
            "n'existe pas")),
        ("de-domain", r"(domäne|domain) .{0,30}(unbekannt|existiert nicht)",
            "Die Domain ist unbekannt"),
        ("es-domain", (r"dom[ií]n?io .{0,30}(no existe|não existe|non "
            r"esiste|inesistente|desconocido)"), "El dominio no existe"),
    ),
    *phrases(
        Class.UNKNOWN_USER,
        ("fr-unknown", (r"n'existe pas|(utilisateur|destinataire|adresse|compte) "
            r".{0,30}(inconnu|invalide|inexistant|incorrecte)"),
         "Utilisateur inconnu"),
        ("de-unknown", r"existiert nicht|(benutzer|empf(ä|ae)nger|adresse) .{0,24}(unbekannt|nicht "
            r"(gefunden|bekannt|vorhanden))"
                       r"|unbekannter? (empf|benutz|adress)", "Empfänger unbekannt"),
        ("es-unknown", (r"(usuario|destinatario|dirección|cuenta) .{0,30}(desconocid|no "
            r"(existe|encontr|válid)|inexistente)|no existe"),
         "El usuario no existe"),
        ("it-unknown", (r"(utente|indirizzo|casella|destinatario) "
            r".{0,30}(sconosciut|inesistente|non "
            r"(esiste|valid|trovat)|errat)"),
         "Utente sconosciuto"),
        ("pt-unknown", (r"(usuário|endereço|conta|destinatário) .{0,30}(desconhecid|não "
            r"(existe|encontrad)|inexistente|inválid)"),
         "Usuário desconhecido"),
        ("ru-unknown", (r"(пользовател|адрес|получател|ящик)\S* .{0,40}(не "
            r"(найден|существ|зарегистр)|отсутств|неизвест)"),
         "Пользователь не найден"),
    ),
)  # fmt: skip

CHINESE = (
    *phrases(Class.MAILBOX_FULL,
        ("zh-full", r"(邮箱|空间|容量).{0,6}(已满|不足|超出)", "收件人邮箱空间已满")),
    *phrases(Class.MAILBOX_DISABLED, ("zh-disabled", (r"(账号|帐号|邮箱|用户).{0,6}(被?(禁用"
        r"|停用|冻结)|已停用)"), "该账号被禁用")),
    *phrases(Class.TOO_LARGE, ("zh-size", r"邮件(过大|太大)", "邮件过大")),
    *phrases(Class.RECIPIENT_REFUSED,
        ("zh-refused", r"收件人.{0,4}(拒收|拒绝)", "邮件被收件人拒收")),
    *phrases(Class.UNKNOWN_DOMAIN, ("zh-domain", r"域名(不存在|无法)", "收件人域名不存在")),
    *phrases(Class.UNKNOWN_USER, ("zh-unknown", (r"(用户|收件人|邮箱|地址|帐号).{0,8}(不存在"
        r"|找不到|未开通|無效|无效)"), "收件人邮箱不存在")),
    *phrases(Class.CONTENT, ("zh-spam", r"垃圾邮件", "被判定为垃圾邮件"), detail="spam"),
)  # fmt: skip

# "hanako wasn't found at example.test": Exchange Online says so in the reader's language. A name,
# a word for "not found", and the domain.
_AT = r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}"
_WHO = r"(?<!\S)(?!(?:the |der )?(?:server|host|domain|route|mx|name|page)\b)[^\s:;,]{1,64}"
NOT_AT = phrases(
    Class.UNKNOWN_USER,
    ("name-not-at", rf"{_WHO} (?:wasn't|was not|could not be|couldn't be) found (?:at|in|on) {_AT}"
        rf"|{_WHO} (?:wurde|konnte) nicht (?:in|bei|auf) {_AT} gefunden"
        rf"|{_WHO} (?:est introuvable|n'a pas été trouvée?) (?:sur|dans|à|chez|au) {_AT}"
        rf"|no se (?:encontró|ha encontrado|pudo encontrar) {_WHO} en {_AT}"
        rf"|{_WHO} (?:não foi|nao foi) (?:encontrad|localizad)[oa] (?:em|no|na) {_AT}"
        rf"|{_WHO} non è stat[oa] trovat[oa] (?:in|su|presso|a) {_AT}"
        rf"|{_WHO} (?:is|werd) niet gevonden (?:bij|in|op) {_AT}"
        rf"|{_WHO} hittades inte (?:på|hos|i) {_AT}"
        rf"|{_WHO} (?:blev|ble) ikke fund?n?et (?:på|hos|i) {_AT}"
        rf"|nie znaleziono (?:adresata )?{_WHO} w (?:domenie )?{_AT}"
        rf"|{_WHO} не найден[ао]? (?:в|на) (?:домене )?{_AT}",
     "hanako wurde nicht in example.test gefunden."),
    # Exchange's words for its own codes 5.1.1 and 5.1.10.
    ("entered-not-found", r"the e-?mail address you entered (?:couldn't|could not) be found"
        r"|eingegebene e-?mail-?adresse (?:konnte nicht|wurde nicht) gefunden"
        r"|adresse (?:de messagerie|e-?mail) (?:que vous avez )?(?:entrée|saisie) est introuvable"
        r"|no se (?:encontró|pudo encontrar) la dirección de correo(?: electrónico)? que "
            r"(?:escribió|especificó|ha escrito|introdujo|ha introducido)"
        r"|impossibile trovare l'indirizzo (?:di posta elettronica|e-?mail) (?:immesso|inserito"
        r"|specificato)",
     "The email address you entered couldn't be found."),
    says_so_itself=True, codes=(0,),
)  # fmt: skip

LANGUAGES = (*JAPANESE, *EUROPEAN, *CHINESE)
