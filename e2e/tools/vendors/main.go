// Command vendors reads what Weir would send to vendors of alerts, one request a line as {"kind", "url", "body"}, and
// says what their own code finds wrong with it, each beginning with the number of the line.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/PagerDuty/go-pagerduty"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/opsgenie/opsgenie-go-sdk-v2/alert"
)

// longest is how long a line may be.
const longest = 16 << 20

type request struct {
	Kind string          `json:"kind"`
	URL  string          `json:"url"`
	Body json.RawMessage `json:"body"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longest)
	for n := 1; lines.Scan(); n++ {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			fmt.Println(n, err)
			continue
		}
		if err := check(r); err != nil {
			fmt.Println(n, r.Kind, strings.Join(strings.Fields(err.Error()), " "))
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Println(0, err)
	}
}

func check(r request) error {
	switch r.Kind {
	case "pagerduty":
		if strings.Contains(r.URL, "/change/") {
			return strictly(r.Body, &pagerduty.ChangeEvent{})
		}
		return strictly(r.Body, &pagerduty.V2Event{})
	case "opsgenie":
		return opsgenie(r)
	case "webhook":
		e := event.Event{}
		if err := json.Unmarshal(r.Body, &e); err != nil {
			return err
		}
		return e.Validate()
	case "gchat":
		return chat(r.Body)
	}
	return fmt.Errorf("nothing is known of %s", r.Kind)
}

func opsgenie(r request) error {
	switch {
	case strings.Contains(r.URL, "/notes"):
		body := &alert.AddNoteRequest{IdentifierValue: "in the path"}
		if err := strictly(r.Body, body); err != nil {
			return err
		}
		return body.Validate()
	case strings.Contains(r.URL, "/close"):
		body := &alert.CloseAlertRequest{IdentifierValue: "in the path"}
		if err := strictly(r.Body, body); err != nil {
			return err
		}
		return body.Validate()
	}
	body := &alert.CreateAlertRequest{}
	if err := strictly(r.Body, body); err != nil {
		return err
	}
	return body.Validate()
}

// strictly reads what has no field that the vendor's type does not have.
func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// chat holds a message to the description of the API that Google makes its own clients of.
func chat(body []byte) error {
	dir, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "google.golang.org/api").Output()
	if err != nil {
		return fmt.Errorf("finding google.golang.org/api: %w", err)
	}
	content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "chat/v1/chat-api.json"))
	if err != nil {
		return err
	}
	var d description
	if err := json.Unmarshal(content, &d); err != nil {
		return err
	}
	var message any
	if err := json.Unmarshal(body, &message); err != nil {
		return err
	}
	return d.holds("message", schema{Ref: "Message"}, message)
}
