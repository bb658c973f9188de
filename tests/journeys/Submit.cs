// System.Net.Mail hands in a message with a name, a subject, a text and a file in Japanese.
// Arguments: port, sender, recipients. It prints what the class says of the outcome.
// No TLS and no AUTH: Mono's class offers TLS 1.0 alone, whatever is asked of it.
using System;
using System.IO;
using System.Net.Mail;
using System.Text;

class Submit
{
    static int Main(string[] given)
    {
        var message = new MailMessage
        {
            From = new MailAddress(given[1], "ショップ", Encoding.UTF8),
            Subject = "ご注文の確認",
            SubjectEncoding = Encoding.UTF8,
            Body = "ありがとうございます\r\n.\r\n終わり\r\n",
            BodyEncoding = Encoding.UTF8,
        };
        for (int at = 2; at < given.Length; at++) message.To.Add(given[at]);
        message.Attachments.Add(new Attachment(new MemoryStream(Encoding.UTF8.GetBytes("領収書")), "領収書.txt", "text/plain"));
        var client = new SmtpClient("127.0.0.1", int.Parse(given[0]));
        try
        {
            client.Send(message);
            Console.WriteLine("sent");
        }
        catch (SmtpException error)
        {
            Console.WriteLine(error.GetType().Name + " " + error.StatusCode + " " + error.Message);
        }
        return 0;
    }
}
