import type { Reasons } from "./reasons";

export const reasons: Reasons = {
  INTERNAL: ["Der Server hat einen Fehler.", "Geben Sie die Anfrage-ID dem Betreiber."],
  DEADLINE_EXCEEDED: [
    "Der Server hat zu lange gebraucht.",
    "Prüfen Sie, ob die Änderung erfolgt ist, und versuchen Sie es erneut.",
  ],
  UNAVAILABLE: ["Der Server ist nicht bereit.", "Versuchen Sie es gleich noch einmal."],
  UNIMPLEMENTED: ["Dieser Server hat diese Funktion nicht.", "Bitten Sie den Betreiber um ein Update."],
  TOKEN_MISSING: ["Sie sind nicht angemeldet.", "Melden Sie sich an."],
  TOKEN_INVALID: ["Ihre Sitzung ist beendet.", "Melden Sie sich erneut an."],
  TOKEN_EXPIRED: ["Ihre Sitzung ist abgelaufen.", "Melden Sie sich erneut an."],
  INSUFFICIENT_SCOPE: ["Das API-Token darf das nicht.", "Verwenden Sie ein Token mit dem nötigen Recht."],
  SCOPE_NOT_GRANTABLE: ["Sie können kein Recht vergeben, das Sie nicht haben.", "Entfernen Sie das Recht."],
  PERSON_REQUIRED: ["Das kann nur eine angemeldete Person.", "Melden Sie sich an."],
  INSUFFICIENT_ROLE: ["Ihre Rolle erlaubt das nicht.", "Fragen Sie einen Inhaber des Arbeitsbereichs."],
  CSRF_HEADER_MISSING: [
    "Der Anfrage fehlt ein Sicherheits-Header.",
    "Laden Sie die Seite neu. Ein Proxy muss alle Header durchlassen.",
  ],
  VALIDATION_FAILED: ["Einige Felder sind nicht richtig.", "Korrigieren Sie die markierten Felder."],
  NOT_FOUND: ["Das gibt es nicht mehr.", "Gehen Sie zurück zur Liste."],
  REQUEST_ID_REUSED: ["Dieselbe Anfrage wurde schon für etwas anderes verwendet.", "Beginnen Sie neu."],
  PAGE_TOKEN_INVALID: ["Die Liste hat sich geändert.", "Laden Sie die Liste neu."],
  RESOURCE_CHANGED: [
    "Jemand anderes hat das inzwischen geändert.",
    "Sehen Sie sich die aktuelle Fassung an und versuchen Sie es erneut.",
  ],
  RESOURCE_IN_USE: ["Das wird noch verwendet.", "Entfernen Sie es zuerst dort."],
  MESSAGE_TOO_LARGE: ["Das sind zu viele Daten.", "Senden Sie weniger."],
  RATE_LIMITED: ["Zu viele Versuche.", "Warten Sie eine Weile und versuchen Sie es erneut."],
  STORAGE_FULL: [
    "Die Festplatte des Servers ist voll. Nichts wurde gespeichert.",
    "Bitten Sie den Betreiber um Platz und versuchen Sie es erneut.",
  ],
  CURSOR_INVALID: ["Die Position im Protokoll ist ungültig.", "Laden Sie die Seite neu."],
  CURSOR_EXPIRED: ["Die Seite war zu lange weg.", "Laden Sie die Seite neu."],
  NAME_AMBIGUOUS: ["Mehrere Katalogeinträge heißen so.", "Wählen Sie einen der Vorschläge."],
  NAME_UNKNOWN: ["Der Katalog hat keinen solchen Eintrag.", "Wählen Sie einen der Vorschläge."],
  CATALOG_NOT_READY: ["Der Katalog wird noch gelesen.", "Versuchen Sie es in einer Minute erneut."],
  SEARCH_UNAVAILABLE: ["Dieser Server hat keine Marktplatzsuche.", "Suchen Sie auf der Website."],
  PHOTO_NOT_AN_IMAGE: ["Diese Datei ist kein Bild oder ist beschädigt.", "Wählen Sie eine andere Datei."],
  PHOTO_TRUNCATED: ["Das Bild ist unvollständig.", "Laden Sie die ganze Datei hoch."],
  PHOTO_TOO_LARGE: ["Die Datei ist zu groß.", "Wählen Sie eine kleinere Datei."],
  PHOTO_TOO_MANY_PIXELS: ["Das Bild hat zu viele Pixel.", "Verkleinern Sie das Bild."],
  PHOTO_FORMAT_UNSUPPORTED: [
    "Dieses Bildformat wird nicht unterstützt.",
    "Verwenden Sie JPEG, PNG, WebP oder GIF.",
  ],
  TOO_MANY_PHOTOS: ["Ein Inserat darf nicht so viele Fotos haben.", "Entfernen Sie einige Fotos."],
  UPLOAD_URL_EXPIRED: ["Der Upload begann zu spät.", "Laden Sie erneut hoch."],
  UPLOAD_URL_INVALID: ["Die Upload-Adresse ist ungültig.", "Laden Sie erneut hoch."],
  UPLOAD_MALFORMED: ["Der Upload wurde unterbrochen.", "Laden Sie erneut hoch."],
  ACCOUNT_PAUSED: ["Das Konto ist pausiert.", "Beheben Sie die Ursache und setzen Sie das Konto fort."],
  MODE_NOT_ALLOWED: [
    "Der Server hat keinen Browser mit Fenster.",
    "Bereiten Sie ohne manuelle Übernahme vor, oder fragen Sie den Betreiber.",
  ],
  ACKNOWLEDGEMENT_REQUIRED: ["Das braucht Ihre Zustimmung.", "Lesen Sie den Hinweis und stimmen Sie zu."],
  SESSION_REQUIRED: ["Das Konto hat keine Sitzung auf der Website.", "Importieren Sie eine Sitzung."],
  SESSION_LOST_IN_REFRESH: ["Die Sitzung ging beim Erneuern verloren.", "Importieren Sie eine neue Sitzung."],
  MODE_CHANGED: ["Der Modus des Kontos hat sich geändert.", "Bereiten Sie es erneut vor."],
  SESSION_COOKIES_MISSING: ["Der Sitzung fehlen Cookies.", "Kopieren Sie den ganzen Cookie-Header."],
  SESSION_INVALID: [
    "Die Website akzeptiert die Sitzung nicht.",
    "Melden Sie sich im Browser an und importieren Sie diese Sitzung.",
  ],
  SESSION_WRONG_MARKET: [
    "Die Cookies sind von der Website eines anderen Landes.",
    "Importieren Sie Cookies der Website des Kontos.",
  ],
  SESSION_MEMBER_MISMATCH: [
    "Die Sitzung gehört einem anderen Mitglied.",
    "Importieren Sie die Sitzung des richtigen Mitglieds.",
  ],
  LISTING_INCOMPLETE: ["Das Inserat ist nicht vollständig.", "Korrigieren Sie die markierten Felder."],
  ALREADY_PUBLISHED: [
    "Das Inserat ist schon online.",
    "Ändern Sie den Artikel, oder legen Sie ein neues Inserat an.",
  ],
  PUBLISH_JOB_OPEN: [
    "Ein Auftrag zu diesem Inserat läuft noch.",
    "Warten Sie das Ende ab, oder brechen Sie ihn ab.",
  ],
  JOB_STATE_INVALID: [
    "Der Auftrag ist jetzt in einem anderen Zustand.",
    "Sehen Sie sich den Auftrag erneut an.",
  ],
  NOT_CANCELLABLE: [
    "Zum Abbrechen ist es zu spät. Es ist vielleicht schon geschehen.",
    "Warten Sie das Ergebnis ab.",
  ],
  CONFIRMATION_REQUIRED: ["Die Bestätigung fehlt.", "Prüfen Sie und bestätigen Sie."],
  CONFIRMATION_INVALID: ["Die Bestätigung gehört zu etwas anderem.", "Prüfen Sie erneut und bestätigen Sie."],
  CONFIRMATION_USED: ["Das wurde schon bestätigt.", "Sehen Sie sich das Ergebnis an."],
  CONFIRMATION_STALE: [
    "Der Inhalt wurde nach Ihrer Prüfung geändert.",
    "Prüfen Sie erneut und bestätigen Sie.",
  ],
  CONFIRMATION_EXPIRED: ["Die Bestätigung ist abgelaufen.", "Bereiten Sie es erneut vor."],
  REMOTE_ITEM_ALREADY_LINKED: ["Ein anderes Inserat hat diesen Artikel.", "Prüfen Sie den Artikel."],
  OUTCOME_UNKNOWN: [
    "Es ist unklar, ob die Website das angenommen hat.",
    "Sehen Sie auf der Website nach und beantworten Sie die Frage.",
  ],
  CANCELLED_BY_PERSON: ["Eine Person hat das abgebrochen.", "Beginnen Sie neu, wenn Sie es noch möchten."],
  POSSIBLE_DUPLICATE: [
    "Auf der Website gibt es das vielleicht doppelt.",
    "Sehen Sie nach und entfernen Sie das Doppelte.",
  ],
  ATTEMPTS_EXHAUSTED: [
    "Der Server hat nach mehreren Versuchen aufgegeben.",
    "Bitten Sie den Betreiber, ins Protokoll zu sehen, und versuchen Sie es erneut.",
  ],
  NOT_PUBLISHED: [
    "Das Inserat hat keinen Artikel auf der Website.",
    "Legen Sie ein neues Inserat an, um ihn wieder zu verkaufen.",
  ],
  REMOTE_CHANGED: [
    "Der Artikel wurde auf der Website geändert.",
    "Sehen Sie die Unterschiede an und wählen Sie die Fassung.",
  ],
  SCHEDULE_MISSED: [
    "Der geplante Zeitpunkt ist verpasst.",
    "Prüfen Sie den Auftrag und bestätigen oder verwerfen Sie ihn.",
  ],
  MANUAL_TAKEOVER: [
    "Das Browserfenster dieses Auftrags ist offen.",
    "Veröffentlichen Sie dort, oder brechen Sie ab.",
  ],
  WINDOW_CLOSED: [
    "Das Fenster wurde ohne Veröffentlichung geschlossen.",
    "Bereiten Sie das Inserat erneut vor.",
  ],
  FIELD_NOT_FOUND: [
    "Ein Feld im Formular der Website wurde nicht gefunden.",
    "Bitten Sie den Betreiber um einen Selektor und versuchen Sie es erneut.",
  ],
  READ_BACK_MISMATCH: [
    "Das Formular der Website zeigt andere Werte.",
    "Sehen Sie die Bilder an, dann versuchen Sie es erneut oder ändern das Inserat.",
  ],
  SITE_REFUSED: ["Die Website hat den Inhalt abgelehnt.", "Ändern Sie den Inhalt."],
  SITE_UNAVAILABLE: ["Die Website antwortet nicht.", "Versuchen Sie es später erneut."],
  SITE_RESPONSE_UNEXPECTED: [
    "Die Website hat etwas Unbekanntes geantwortet.",
    "Versuchen Sie es später. Bleibt es so, sagen Sie es dem Betreiber.",
  ],
  BROWSER_UNAVAILABLE: [
    "Der Browser des Servers ist nicht nutzbar.",
    "Bitten Sie den Betreiber, den Browser zu prüfen.",
  ],
  DRAFT_LOST: ["Der Entwurf auf der Website ist weg.", "Sehen Sie nach und bereiten Sie es erneut vor."],
  PAGE_UNUSABLE: [
    "Die Website hat keine brauchbare Seite geliefert.",
    "Sehen Sie die Bilder an und versuchen Sie es erneut.",
  ],
  REPLY_OPEN: ["Eine Antwort in dieser Unterhaltung ist noch offen.", "Brechen Sie sie ab, oder warten Sie."],
  REPLY_STATE_INVALID: [
    "Die Antwort ist jetzt in einem anderen Zustand.",
    "Sehen Sie sich die Antwort erneut an.",
  ],
  REPLY_NOT_ALLOWED: [
    "Die Website erlaubt hier keine Antwort.",
    "Sehen Sie sich die Unterhaltung auf der Website an.",
  ],
  DRAFT_CONFLICT: ["Der Entwurf wurde auf einem anderen Gerät geändert.", "Wählen Sie den Text, der bleibt."],
  REPLY_DIFFERS: ["Eine Nachricht mit anderem Text ist erschienen.", "Prüfen Sie, ob es diese Antwort ist."],
  NAME_TAKEN: ["Diesen Namen gibt es schon.", "Wählen Sie einen anderen Namen."],
  THREAD_REMOVAL_OPEN: ["Die Unterhaltung wird auf der Website entfernt.", "Warten Sie das Ende ab."],
  CHALLENGE_CAPTCHA: [
    "Die Website zeigt ein Captcha.",
    "Lösen Sie es im eigenen Browser und setzen Sie das Konto fort.",
  ],
  CHALLENGE_BOT_CHECK: [
    "Die Website verlangt eine Bot-Prüfung.",
    "Lösen Sie sie im eigenen Browser und setzen Sie das Konto fort.",
  ],
  CHALLENGE_CLOUDFLARE: [
    "Die Website ist für den Server gesperrt.",
    "Prüfen Sie im eigenen Browser, warten Sie, und setzen Sie das Konto fort.",
  ],
  CHALLENGE_SECOND_FACTOR: [
    "Die Website verlangt einen zweiten Faktor.",
    "Melden Sie sich im Browser an und importieren Sie diese Sitzung.",
  ],
  CHALLENGE_ACCOUNT_VERIFICATION: [
    "Die Website verlangt eine Prüfung des Kontos.",
    "Folgen Sie den Schritten der Website und setzen Sie das Konto fort.",
  ],
  CHALLENGE_LOGIN_LOST: [
    "Die Sitzung ist nicht mehr angemeldet.",
    "Melden Sie sich im Browser an und importieren Sie diese Sitzung.",
  ],
  CHALLENGE_SESSION_REFRESH: [
    "Die Website erneuert die Sitzung nicht.",
    "Melden Sie sich im Browser an und importieren Sie diese Sitzung.",
  ],
  CHALLENGE_RATE_LIMIT: ["Die Website meldet zu viele Anfragen.", "Warten Sie das Ende der Pause ab."],
  CHALLENGE_RESTRICTION: [
    "Die Website hat das Konto eingeschränkt.",
    "Lesen Sie die Meldung der Website, bevor Sie fortsetzen.",
  ],
  CHALLENGE_BLOCKED: [
    "Die Website hat abgelehnt, fortzufahren.",
    "Sehen Sie auf der Website nach und setzen Sie das Konto fort.",
  ],
  WEBHOOK_ADDRESS_REFUSED: [
    "Die Webhook-Adresse ist nicht erlaubt.",
    "Verwenden Sie eine öffentliche https-Adresse.",
  ],
  WEBHOOK_ENDPOINT_DISABLED: ["Der Webhook ist abgeschaltet.", "Schalten Sie ihn zuerst ein."],
  TOO_MANY_WEBHOOK_ENDPOINTS: ["Es gibt zu viele Webhooks.", "Löschen Sie zuerst einen."],
  CREDENTIALS_INVALID: [
    "Adresse oder Passwort ist falsch.",
    "Korrigieren Sie sie, oder setzen Sie das Passwort zurück.",
  ],
  SECOND_FACTOR_REQUIRED: ["Ein Code ist nötig.", "Geben Sie den Code Ihrer App ein."],
  SECOND_FACTOR_INVALID: [
    "Der Code ist falsch oder wurde schon benutzt.",
    "Warten Sie auf den nächsten Code Ihrer App.",
  ],
  SECOND_FACTOR_ENABLED: ["Ein zweiter Faktor ist schon eingerichtet.", "Schalten Sie ihn zuerst aus."],
  REFRESH_TOKEN_INVALID: ["Ihre Sitzung ist beendet.", "Melden Sie sich erneut an."],
  REFRESH_TOKEN_REUSED: [
    "Ihre Sitzung wurde beendet, weil ihr Token zweimal benutzt wurde.",
    "Melden Sie sich erneut an und prüfen Sie Ihre Sitzungen.",
  ],
  REGISTRATION_CLOSED: ["Die Registrierung ist geschlossen.", "Bitten Sie um eine Einladung."],
  LINK_INVALID: ["Der Link wurde schon benutzt oder ist abgelaufen.", "Fordern Sie einen neuen an."],
  INVITATION_INVALID: ["Die Einladung ist nicht gültig.", "Bitten Sie einen Inhaber um eine neue."],
  EMAIL_TAKEN: [
    "Diese Adresse gehört schon einer Person.",
    "Melden Sie sich an, oder verwenden Sie eine andere Adresse.",
  ],
  LAST_OWNER: [
    "Der Arbeitsbereich braucht einen Inhaber.",
    "Machen Sie zuerst eine andere Person zum Inhaber.",
  ],
};
