import java.util.Properties;
import javax.mail.Authenticator;
import javax.mail.Message;
import javax.mail.PasswordAuthentication;
import javax.mail.SendFailedException;
import javax.mail.Session;
import javax.mail.Transport;
import javax.mail.internet.InternetAddress;
import javax.mail.internet.MimeMessage;

/** Sends to two recipients by JavaMail, and prints what it makes of a refusal: PORT USERNAME PASSWORD SENDER GOOD BAD. */
public class Send {
    public static void main(String[] given) throws Exception {
        Properties settings = new Properties();
        settings.put("mail.smtp.host", "127.0.0.1");
        settings.put("mail.smtp.port", given[0]);
        settings.put("mail.smtp.auth", "true");
        settings.put("mail.smtp.starttls.enable", "true");
        settings.put("mail.smtp.starttls.required", "true");
        settings.put("mail.smtp.ssl.trust", "*");
        settings.put("mail.smtp.ssl.checkserveridentity", "false");
        Session session = Session.getInstance(settings, new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(given[1], given[2]);
            }
        });
        MimeMessage message = new MimeMessage(session);
        message.setFrom(new InternetAddress(given[3]));
        message.setRecipients(Message.RecipientType.TO, InternetAddress.parse(given[4] + "," + given[5]));
        message.setText("hello");
        try {
            Transport.send(message);
            System.out.println("sent");
        } catch (SendFailedException error) {
            System.out.println(error.getClass().getName());
        }
    }
}
