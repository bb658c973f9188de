"""What a sentence says by its stems, in nine languages: a noun for the recipient near a verb for its state.

Asked after all phrases. A phrase is one text's wording; a stem holds for wordings that nobody here has seen.
The two stand in one sentence, at most `NEAR` characters apart, in either order.
"""

from __future__ import annotations

from deliveries.bounces.rules import Rule, phrases
from suppressions.classes import Class

NEAR = 40
_CLASSES = {
    "unknown": Class.UNKNOWN_USER, "full": Class.MAILBOX_FULL, "disabled": Class.MAILBOX_DISABLED,
    "domain": Class.UNKNOWN_DOMAIN, "refused": Class.RECIPIENT_REFUSED, "size": Class.TOO_LARGE,
    "spam": Class.CONTENT, "late": Class.NETWORK, "connection": Class.NETWORK,
    "permission": Class.SENDER_REFUSED, "virus": Class.VIRUS, "policy": Class.POLICY,
}  # fmt: skip
_DETAILS = {"spam": "spam", "late": "expired", "connection": "connection"}

# Language, meaning, noun stems, stems of what is said of it, an example. Order as in `classifier`: what is said
# plainly first, "unknown" last, for "does not exist" is said of many things.
_ROWS: tuple[tuple[str, str, str, str, str], ...] = (
    # German
    ("de", "permission", r"gruppe|verteiler|absender|liste",
     r"keine berechtigung|nicht berechtigt|nicht (die )?erforderlich|nicht zugelassen|unzulässig",
     "Sie sind nicht berechtigt, an diese Gruppe zu schreiben"),
    ("de", "full", r"postfach|postfächer|mailbox|speicherplatz|kontingent|quota|briefkasten",
     r"voll\b|überschritten|erschöpft|überfüllt|belegt|ueberschritten",
     "Das Kontingent des Postfachs wurde überschritten"),
    ("de", "size", r"nachricht|e-?mail|anhang|größe|groesse",
     r"zu groß|zu gross|größer als|maximale größe|größenbeschränkung|größenlimit",
     "Die Nachricht ist zu groß für dieses Postfach"),
    ("de", "disabled", r"postfach|konto|account|mailbox|benutzer|empfänger",
     r"deaktiviert|gesperrt|gekündigt|stillgelegt|nicht mehr aktiv|abgeschaltet", "Dieses Postfach wurde deaktiviert"),
    ("de", "domain", r"domäne|domain|domänenname|rechnername|host", r"nicht gefunden|existiert nicht|unbekannt|ungültig",
     "Der Domänenname wurde nicht gefunden"),
    ("de", "refused", r"empfänger|adressat", r"verweiger|abgelehnt|nimmt .{0,20}nicht an|blockiert",
     "Die Annahme wurde vom Empfänger verweigert"),
    ("de", "spam", r"nachricht|e-?mail|inhalt", r"als spam|unerwünscht|spamverdacht", "Die Nachricht wurde als Spam eingestuft"),
    ("de", "connection", r"server|verbindung|gegenstelle", r"nicht erreichbar|zeitüberschreitung|fehlgeschlagen|keine antwort|abgebrochen",
     "Die Verbindung zum Server ist fehlgeschlagen"),
    ("de", "unknown", r"empfänger|empfaenger|benutzer|adresse|postfach|konto|teilnehmer|mailadresse",
     r"unbekannt|nicht gefunden|existiert nicht|nicht vorhanden|nicht bekannt|ungültig|nicht bei|gibt es nicht|konnte nicht ermittelt"
     r"|nicht existent|nicht mehr gültig|falsch",
     "Die Adresse des Empfängers ist ungültig"),
    # French
    ("fr", "permission", r"groupe|liste|expéditeur|vous", r"pas autorisé|non autorisé|l'autorisation|pas le droit",
     "Vous n'êtes pas autorisé à écrire à ce groupe"),
    ("fr", "full", r"bo[iî]te|messagerie|quota|espace|compte", r"pleine?\b|dépassé|saturée?|insuffisant|satur[eé]",
     "La messagerie du correspondant est saturée"),
    ("fr", "size", r"message|courriel|pi[eè]ce|taille", r"trop volumineux|trop gros|trop grand|trop long|dépasse la (taille|limite)|taille maximale",
     "Le message est trop volumineux"),
    ("fr", "disabled", r"compte|bo[iî]te|adresse|utilisateur", r"désactivée?|suspendue?|bloquée?|fermée?|résiliée?|inactif|inactive|clôturé",
     "Cette adresse est désactivée"),
    ("fr", "domain", r"domaine|serveur de messagerie|hôte", r"inconnu|introuvable|n'existe pas|inexistant|invalide", "Domaine introuvable"),
    ("fr", "refused", r"destinataire|correspondant", r"refus|rejet|bloqu|n'accepte pas", "Le destinataire n'accepte pas ce courrier"),
    ("fr", "spam", r"message|courriel|contenu", r"indésirable|pourriel", "Message considéré comme indésirable"),
    ("fr", "connection", r"serveur|connexion|délai", r"injoignable|ne répond pas|échoué|expiré|impossible d'établir|interrompu",
     "Le serveur distant ne répond pas"),
    ("fr", "unknown", r"utilisateur|destinataire|adresse|compte|bo[iî]te|correspondant|abonné",
     r"inconnue?\b|introuvable|n'existe|inexistant|invalide|incorrecte?|erronée?|non valide|pas trouv|pas pu être trouv|plus valide|n'est pas valide",
     "Le destinataire est introuvable"),
    # Spanish
    ("es", "permission", r"grupo|lista|remitente", r"no (está|tiene|tienes|tenga|cuenta con) .{0,12}(autorizad|permis)|sin permiso|no autorizado",
     "Es posible que no tenga permiso para escribir a este grupo"),
    ("es", "full", r"buzón|buzon|cuota|casilla|espacio|almacenamiento", r"llen[oa]|excedid|superad|sin espacio|insuficiente|agotad",
     "La cuota del usuario ha sido superada"),
    ("es", "size", r"mensaje|correo|adjunto|tamaño", r"demasiado grande|supera el (límite|tamaño)|excede el (límite|tamaño)|tamaño máximo",
     "El mensaje es demasiado grande"),
    ("es", "disabled", r"cuenta|buzón|usuario|casilla", r"desactivad|deshabilitad|suspendid|bloquead|inactiv|cancelad|cerrad",
     "La cuenta del usuario fue cancelada"),
    ("es", "domain", r"dominio|host|servidor", r"no existe|desconocid|no (se )?encontr|inexistente|no válid|inválid",
     "No se encontró el dominio"),
    ("es", "refused", r"destinatario", r"rechaz|no acepta|bloque", "El destinatario no acepta este correo"),
    ("es", "spam", r"mensaje|correo|contenido", r"no deseado", "El mensaje fue considerado no deseado"),
    ("es", "connection", r"servidor|conexión|conexion", r"no responde|tiempo de espera|fall[oó]|rechazada|no (se pudo|fue posible) (conectar|establecer)",
     "El servidor remoto no responde"),
    ("es", "unknown", r"usuario|destinatario|dirección|direccion|cuenta|buzón|casilla",
     r"desconocid|no existe|inexistente|no (se|ha sido|fue|pudo) .{0,12}encontr|no válid|inválid|incorrect|no es válid|no encontrad|no está registrad",
     "No se encontró la dirección"),
    # Portuguese
    ("pt", "full", r"caixa|quota|cota|espaço|armazenamento", r"chei[ao]|excedid|esgotad|lotad|sem espaço|ultrapassad|insuficiente",
     "A cota da caixa postal foi excedida"),
    ("pt", "size", r"mensagem|anexo|tamanho|e-?mail", r"muito grande|excede o (limite|tamanho)|tamanho máximo|grande demais", "A mensagem é muito grande"),
    ("pt", "disabled", r"conta|caixa|usuário|endereço|utilizador", r"desativad|desabilitad|suspens|bloquead|inativ|cancelad|encerrad",
     "A conta foi desativada"),
    ("pt", "domain", r"domínio|dominio|servidor", r"não (existe|encontrad|foi encontrad)|desconhecid|inexistente|inválid",
     "O domínio não foi encontrado"),
    ("pt", "refused", r"destinatário|destinatario", r"recus|rejeit|não aceita|bloque", "O destinatário não aceita esta mensagem"),
    ("pt", "spam", r"mensagem|e-?mail|conteúdo", r"indesejad|lixo eletr", "A mensagem foi considerada indesejada"),
    ("pt", "connection", r"servidor|conexão|ligação", r"não responde|tempo (limite|esgotado)|falhou|recusada|não foi possível conectar",
     "O servidor não responde"),
    ("pt", "unknown", r"usuário|usuario|utilizador|destinatário|endereço|endereco|conta|caixa postal",
     r"desconhecid|não (existe|encontrad|foi encontrad|pôde ser encontrad|localizad|é válid)|inexistente|inválid|incorret",
     "O endereço não foi encontrado"),
    # Italian, for the neighbours' sake
    ("it", "full", r"casella|quota|spazio|mailbox", r"pien[ao]|superat|esaurit|insufficiente", "La quota della casella è stata superata"),
    ("it", "disabled", r"casella|account|utente|indirizzo", r"disattivat|sospes|disabilitat|bloccat|chius[ao]", "La casella è stata disattivata"),
    ("it", "unknown", r"utente|destinatario|indirizzo|casella|account",
     r"sconosciut|inesistente|non (esiste|trovat|è stato trovato|valid|è valid)|errat", "L'indirizzo non è stato trovato"),
    # Russian
    ("ru", "full", r"ящик|квот|места|хранилищ", r"переполнен|превыш|исчерпан|нет места|заполнен|недостаточно", "Квота почтового ящика превышена"),
    ("ru", "size", r"письм|сообщени|вложени|размер", r"слишком (больш|велик)|превышает (максимальн|допустим|разреш)|максимальн",
     "Размер письма превышает допустимый"),
    ("ru", "disabled", r"ящик|пользовател|аккаунт|учетн|адрес|учётн", r"заблокирован|отключ|удал[её]н|неактив|приостановлен|закрыт",
     "Почтовый ящик отключён"),
    ("ru", "domain", r"домен|хост|сервер", r"не существует|не найден|неизвест", "Домен не найден"),
    ("ru", "refused", r"получател|адресат", r"отклон|отказ|отверг|запретил", "Получатель отклонил письмо"),
    ("ru", "spam", r"письм|сообщени|содержим", r"спам", "Сообщение похоже на спам"),
    ("ru", "connection", r"сервер|соединени|подключени", r"не отвечает|недоступен|не удалось|таймаут|время ожидания|разорван", "Сервер получателя не отвечает"),
    ("ru", "unknown", r"пользовател|получател|адрес|ящик|аккаунт|абонент",
     r"не найден|не существу|неизвестн|отсутству|не зарегистрир|неверн|неправильн|нет такого|недействит|не обслужива",
     "Неверный адрес получателя"),
    # Chinese, both scripts
    ("zh", "full", r"邮箱|郵箱|信箱|容量|空间|空間|配额|配額", r"已满|已滿|不足|超出|超过|超過|爆满|滿了|满了", "收件人的信箱已滿"),
    ("zh", "size", r"邮件|郵件|附件|大小", r"过大|過大|太大|超过限制|超出限制|超過限制|大小限制", "附件過大"),
    ("zh", "disabled", r"账号|帐号|帳號|邮箱|郵箱|用户|账户|帳戶", r"禁用|停用|冻结|凍結|锁定|鎖定|注销|註銷|暂停|關閉|关闭", "該帳號已停用"),
    ("zh", "domain", r"域名|網域|网域|主机|主機", r"不存在|找不到|无法解析|無法解析|错误|錯誤", "找不到收件人的網域"),
    ("zh", "refused", r"收件人|收信人|对方|對方", r"拒收|拒绝|拒絕|黑名单|黑名單", "您的邮件被对方拒绝"),
    ("zh", "spam", r"邮件|郵件|内容|內容", r"垃圾|广告|廣告|违规|違規", "邮件内容包含违规信息"),
    ("zh", "connection", r"服务器|伺服器|连接|連線|連接", r"超时|逾時|失败|失敗|无法|無法|没有响应|沒有回應", "无法连接到对方服务器"),
    ("zh", "unknown", r"用户|用戶|使用者|收件人|收信人|邮箱|郵箱|信箱|地址|帐号|帳號|账号|邮件地址",
     r"不存在|找不到|未找到|查无|查無|无此|無此|不正确|不正確|错误|錯誤|无效|無效|未知|不明|没有这个|未注册|未註冊", "查無此收件人地址"),
    # Korean
    ("ko", "full", r"편지함|메일함|사서함|용량|저장|쿼터|할당량", r"초과|부족|가득|꽉", "받는 사람의 메일함 용량이 초과되었습니다"),
    ("ko", "size", r"메일|메시지|첨부|크기", r"너무 (큽|크|커)|크기.{0,6}초과|제한.{0,8}초과", "첨부 파일이 너무 큽니다"),
    ("ko", "disabled", r"계정|사용자|메일함|아이디|id|회원", r"휴면|정지|중지|비활성|해지|탈퇴|차단된", "휴면 상태의 계정입니다"),
    ("ko", "domain", r"도메인|호스트|서버", r"존재하지|찾을 수 없|없는|알 수 없|잘못", "도메인을 찾을 수 없습니다"),
    ("ko", "refused", r"수신자|받는 ?사람|수신인|상대방", r"수신 ?거부|수신을 거부|거절|차단", "수신자가 수신을 거부하였습니다"),
    ("ko", "spam", r"메일|메시지|내용|본문", r"스팸|광고성", "스팸 메일로 분류되었습니다"),
    ("ko", "connection", r"서버|연결|접속", r"응답하지|응답이 없|실패|시간 ?초과|끊어|할 수 없", "상대 서버가 응답하지 않습니다"),
    ("ko", "unknown", r"사용자|수신자|받는 ?사람|수신인|주소|계정|메일함|아이디|회원",
     r"존재하지|찾을 수 없|없습니다|없는 (사용자|계정|주소|아이디)|알 수 없|잘못|유효하지|등록되지|올바르지", "존재하지 않는 주소입니다"),
    # Japanese
    ("ja", "permission", r"グループ|メーリングリスト|メンバー|投稿", r"権限が|権限を|許可されて|メンバーではありません|投稿できません",
     "このグループに投稿する権限がありません"),
    ("ja", "full", r"メールボックス|受信箱|容量|保存領域|ディスク|受信トレイ|クォータ|保管", r"超え|超過|いっぱい|一杯|満杯|不足|オーバー|上限に達",
     "受信トレイの上限に達しています"),
    ("ja", "size", r"メール|メッセージ|添付|本文|サイズ|容量", r"大きすぎ|サイズ.{0,8}(超|オーバー|制限)|制限サイズ|最大サイズ", "添付ファイルが大きすぎます"),
    ("ja", "disabled", r"アカウント|アドレス|ユーザー?|メールボックス|ご利用|契約", r"停止|無効に|凍結|解約|ロック|休止|利用できない状態|使用されていません",
     "アカウントは凍結されています"),
    ("ja", "domain", r"ドメイン|ホスト", r"存在し(ま|て|な)|見つか(ら|り)|不明|解決でき|ありません|誤り|間違", "ホストが見つかりません"),
    ("ja", "refused", r"受信者|相手|宛先|お客様|受信側", r"拒否|受け付けな|受け取りを|受信制限|指定受信|ドメイン指定", "相手が受け取りを拒否しました"),
    ("ja", "spam", r"メール|メッセージ|内容|本文", r"迷惑メール|スパム", "このメッセージは迷惑メールと判定されました"),
    ("ja", "virus", r"メール|メッセージ|添付|ファイル", r"ウイルス|ウィルス|マルウェア", "添付ファイルからウイルスが検出されました"),
    ("ja", "connection", r"サーバー?|接続|通信|ホスト|応答", r"できませんでした|失敗|タイムアウト|応答しません|応答しな|混雑|停止中", "相手のサーバが応答しません"),
    ("ja", "unknown", r"宛先|あて先|宛て先|アドレス|ユーザー?|受信者|アカウント|名前|メールボックス",
     r"存在し(ま|て|な)|存在いたし|見つか(ら|り)|ありません|不明|登録されて(い|お)|間違|誤り|無効|正しくな|該当|認識され", "宛先の名前が正しくないようです"),
    # English, last: its phrases are many
    ("en", "full", r"mail ?box|inbox|quota|mailspace|mail folder|mail file",
     r"\bfull\b|exceed|over[- ]?limit|reached|no more space|out of space|at capacity|overflow",
     "The recipient's inbox is at capacity"),
    ("en", "disabled", r"mail ?box|account|user|address|subscriber|recipient",
     r"disabled|suspended|deactivat|inactive|frozen|terminated|cancel?led|closed|discontinued|dormant|deleted", "The subscriber was terminated"),
    ("en", "domain", r"\b(host|domain|hostname|domain name|system name)\b",
     r"unknown|not found|does not exist|doesn't exist|non-?existent|can(not|'t) be found|not registered|no such|unresolvable",
     "The domain that you wrote to is non-existent"),
    ("en", "unknown", r"\b(user|recipient|mail ?box|account|addressee|alias|subscriber|person|local[- ]part|e-?mail address"
     r"|mail address|destination address)\b",
     r"unknown|not found|does not exist|doesn't exist|not exist|no such|non-?existent|invalid|not recogni[sz]ed|not known|not valid"
     r"|not registered|not listed|not a (valid|known|registered)|unregistered|undefined|not local|unidentified|no match",
     "The addressee that you gave is unregistered"),
)  # fmt: skip


def _rules() -> tuple[Rule, ...]:
    made: list[Rule] = []
    for language, meaning, nouns, states, example in _ROWS:
        gap = rf"[^.!?。！？]{{0,{NEAR}}}?"  # noqa: RUF001  # the ends of a sentence, in East Asian scripts too
        pattern = rf"(?:{nouns}){gap}(?:{states})|(?:{states}){gap}(?:{nouns})"
        row = (f"stem-{language}-{meaning}", pattern, example, _DETAILS.get(meaning, ""))
        made += phrases(_CLASSES[meaning], row)
    return tuple(made)


STEMS = _rules()
