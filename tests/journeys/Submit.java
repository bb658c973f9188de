import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;
import javax.mail.Address;
import javax.mail.Session;
import javax.mail.Transport;
import javax.mail.internet.InternetAddress;
import javax.mail.internet.MimeMessage;

/** Hands a message in by JavaMail: FILE SENDER PORT starttls|tls USERNAME PASSWORD RECIPIENT... */
public class Submit {
    public static void main(String[] given) throws Exception {
        boolean implicit = given[3].equals("tls");
        String protocol = implicit ? "smtps" : "smtp";
        Properties settings = new Properties();
        settings.put("mail." + protocol + ".auth", "true");
        settings.put("mail." + protocol + ".ssl.trust", "*");
        settings.put("mail." + protocol + ".ssl.checkserveridentity", "false");
        settings.put("mail." + protocol + ".allow8bitmime", "true");
        settings.put("mail." + protocol + ".from", given[1]);
        settings.put("mail.smtp.starttls.enable", "true");
        settings.put("mail.smtp.starttls.required", "true");
        Session session = Session.getInstance(settings);
        Address[] recipients = new Address[given.length - 6];
        for (int at = 6; at < given.length; at++) {
            recipients[at - 6] = new InternetAddress(given[at]);
        }
        try (InputStream file = Files.newInputStream(Path.of(given[0]))) {
            MimeMessage message = new MimeMessage(session, file);
            Transport transport = session.getTransport(protocol);
            transport.connect("127.0.0.1", Integer.parseInt(given[2]), given[4], given[5]);
            transport.sendMessage(message, recipients);
            transport.close();
        }
    }
}
