package main

import (
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strings"
)

// message is what is drawn of a message.
type message struct {
	Username    string
	Blocks      []block
	Attachments []attachment
}

type attachment struct {
	Color  string
	Blocks []block
}

type block struct {
	Type             string
	Text             *text
	Fields, Elements []text
}

type text struct {
	Type, Text string
}

// layout is a page in the manner of Slack's.
const layout = `<!doctype html><meta charset="utf-8"><style>
body { margin: 16px; width: 640px; background: #fff; color: #1d1c1d;
  font: 15px/22px Lato, "DejaVu Sans", Helvetica, Arial, sans-serif }
.message { display: flex; gap: 10px }
.face { flex: none; width: 36px; height: 36px; border-radius: 5px; background: #0b4f6c; color: #fff; font-weight: bold;
  font-size: 20px; line-height: 36px; text-align: center }
.who b { margin-right: 6px } .app { background: #ebeaeb; color: #616061; font-size: 10px; padding: 1px 3px; border-radius: 2px }
.time { color: #616061; font-size: 12px; margin-left: 6px }
h1 { font-size: 18px; line-height: 24px; margin: 4px 0 8px }
.attachment { display: flex; gap: 10px } .bar { flex: none; width: 4px; border-radius: 8px }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin-top: 8px; overflow-wrap: anywhere }
.context { color: #616061; font-size: 13px; margin-top: 8px } a { color: #1264a3; text-decoration: none }
</style><div class="message"><div class="face">w</div><div>
<div class="who"><b>{{ .Username }}</b><span class="app">APP</span><span class="time">8:37 PM</span></div>
{{ range .Blocks }}{{ drawn . }}{{ end }}
{{ range .Attachments }}<div class="attachment"><div class="bar" style="background: {{ color .Color }}"></div><div>
{{ range .Blocks }}{{ drawn . }}{{ end }}</div></div>{{ end }}
</div></div>`

// page draws a message. It is an error if it has what nothing is known of here.
func (m *message) page() (string, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"drawn": drawn,
		"color": func(c string) template.CSS { return template.CSS(c) }, //nolint:gosec // it is of a golden file
	}).Parse(layout)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, m)
	return b.String(), err
}

func drawn(b block) (template.HTML, error) {
	var out string
	switch {
	case b.Type == "header" && b.Text != nil:
		out = "<h1>" + words(*b.Text) + "</h1>"
	case b.Type == "section" && b.Text != nil:
		out = "<div>" + words(*b.Text) + "</div>"
	case b.Type == "section" && len(b.Fields) > 0:
		for _, f := range b.Fields {
			out += "<div>" + words(f) + "</div>"
		}
		out = `<div class="fields">` + out + "</div>"
	case b.Type == "context":
		for _, e := range b.Elements {
			out += words(e)
		}
		out = `<div class="context">` + out + "</div>"
	default:
		return "", fmt.Errorf("a block of type %s is not known", b.Type)
	}
	return template.HTML(out), nil //nolint:gosec // words has made it safe
}

// Slack's own brackets stand apart from those that are escaped, which become characters like all others.
const left, right = "\ue000", "\ue001"

var (
	link = regexp.MustCompile(left + `(https?://[^|` + right + `]*)\|([^` + right + `]*)` + right)
	bold = regexp.MustCompile(`\*([^*\n]+)\*`)
)

// words draws a text: what is escaped in it is that character, and nothing is more than text but links and what is bold.
func words(t text) string {
	s := strings.NewReplacer("<", left, ">", right).Replace(t.Text)
	s = html.EscapeString(html.UnescapeString(s))
	if t.Type == "mrkdwn" {
		s = link.ReplaceAllString(s, `<a href="$1">$2</a>`)
		s = bold.ReplaceAllString(s, "<b>$1</b>")
	}
	return strings.NewReplacer(left, "&lt;", right, "&gt;", "\n", "<br>").Replace(s)
}
