// Hands a message in by Go's net/smtp, as Go programs do: the mail is described by JSON in MAIL.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/smtp"
	"os"
)

type mail struct {
	File, Sender       string
	Recipients         []string
	Port               int
	Implicit           bool
	Username, Password string
}

func main() {
	var given mail
	check(json.Unmarshal([]byte(os.Getenv("MAIL")), &given))
	content, err := os.ReadFile(given.File)
	check(err)
	address := fmt.Sprintf("127.0.0.1:%d", given.Port)
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"}
	client := connect(address, config, given.Implicit)
	check(client.Auth(smtp.PlainAuth("", given.Username, given.Password, "127.0.0.1")))
	check(client.Mail(given.Sender))
	for _, recipient := range given.Recipients {
		check(client.Rcpt(recipient))
	}
	writer, err := client.Data()
	check(err)
	_, err = writer.Write(content)
	check(err)
	check(writer.Close())
	check(client.Quit())
}

func connect(address string, config *tls.Config, implicit bool) *smtp.Client {
	if !implicit {
		client, err := smtp.Dial(address)
		check(err)
		check(client.StartTLS(config))
		return client
	}
	connection, err := tls.Dial("tcp", address, config)
	check(err)
	client, err := smtp.NewClient(connection, "127.0.0.1")
	check(err)
	return client
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
