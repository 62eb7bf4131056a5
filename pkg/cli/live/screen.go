package live

import (
	"strings"

	"weir.dev/weir/pkg/words"
)

// The smallest terminal that something is drawn on.
const (
	leastWidth  = 40
	leastHeight = 10
)

// screen is all lines, exactly as many and as wide as the terminal has.
func (m Model) screen() string {
	if m.width < leastWidth || m.height < leastHeight {
		return fit("The terminal is too small.", m.width)
	}
	foot := m.foot()
	room := m.height - len(foot)
	var body []string
	switch {
	case m.help:
		body = m.helps()
	case m.onList:
		body = m.listing(room)
	default:
		body = m.one(room)
	}
	lines := make([]string, 0, m.height)
	for i := range room {
		line := ""
		if i < len(body) {
			line = fit(" "+body[i], m.width)
		}
		lines = append(lines, line)
	}
	for _, line := range foot {
		lines = append(lines, fit(line, m.width))
	}
	return strings.Join(lines, "\n")
}

// foot is what was said last, and what can be typed.
func (m Model) foot() []string {
	rule := m.styles.dim.Render(strings.Repeat("─", m.width))
	said := m.said.text
	style := m.styles.strong
	if m.said.failed {
		style = m.styles.bad
	}
	if said == "" && m.trouble != "" {
		said, style = "this may be old: "+words.Line(string(m.trouble)), m.styles.bad
	}
	switch {
	case m.prompt != nil:
		return append([]string{rule}, m.asks()...)
	case m.onList && m.list.typing:
		return []string{rule, " filter: " + m.list.filter + "█", m.keys("enter", "keep it", "esc", "drop it")}
	}
	return []string{rule, " " + style.Render(said), m.keys(m.choices()...)}
}

// asks is the prompt, in two lines.
func (m Model) asks() []string {
	p := *m.prompt
	order := p.order()
	what := order.Command.Verb
	if order.Command.Full {
		what += " in full"
	}
	first := m.styles.strong.Render(what+" "+m.open.Name) + ": " + words.Line(order.Meaning)
	reason := " reason: "
	switch {
	case p.lacking:
		reason = m.styles.bad.Render(" say why: ")
	case p.needsReason():
		reason = " reason (needed): "
	}
	keys := []string{"enter", "do it", "esc", "leave it"}
	if len(p.choices) > 1 {
		keys = append(keys, "tab", "another")
	}
	// Of a long reason the end is seen, where one types.
	room, typed := m.width-len(" reason (needed): ")-1, []rune(p.reason)
	if len(typed) > room {
		typed = typed[len(typed)-room:]
	}
	return []string{ends(" "+first, m.keys(keys...), m.width), reason + string(typed) + "█"}
}

// choices are the keys that do something here, each with its name.
func (m Model) choices() []string {
	switch {
	case m.help:
		return []string{"any key", "back", "q", "quit"}
	case m.onList:
		keys := []string{"enter", "open", "/", "filter"}
		if m.open.Name != "" {
			keys = append(keys, "tab", m.open.Name)
		}
		return append(keys, "?", "help", "q", "quit")
	}
	var keys []string
	for _, b := range bindings() {
		if len(m.orders(b)) > 0 {
			keys = append(keys, b.key, b.name)
		}
	}
	return append(keys, "tab", "list", "?", "help", "q", "quit")
}

// keys is a line of keys and their names.
func (m Model) keys(pairs ...string) string {
	var line strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		line.WriteString(" " + m.styles.strong.Render(pairs[i]) + " " + words.Line(pairs[i+1]) + " ")
	}
	return line.String()
}

func (m Model) helps() []string {
	rows := [][2]string{
		{"p", "promote: agree to what the run waits for, or leave out all that is left"},
		{"space", "pause the run, or resume it"},
		{"n", "skip the step: go on without its checks"},
		{"g", "approve: agree in the name of a gate; tab goes to the next gate"},
		{"a", "abort: end the run"},
		{"r", "retry a revision that was refused"},
		{"", "Each asks for a reason first; Enter gives the command, Esc does not. What"},
		{"", "cannot be taken back, abort and promote in full, is not given without one."},
		{"", ""},
		{"tab", "to the list of all Canaries, and back"},
		{"/", "in the list: filter by namespace, name, phase or what is waited for"},
		{"q", "quit; Ctrl-C does, too"},
		{"", ""},
		{"", "In the course of a check, the bound lies in the middle: of one that must not be"},
		{"", "below 99, what is in the lower half is below 99. A comparison's course is its"},
		{"", "evidence, on a logarithmic scale, against the evidence that fails it."},
	}
	lines := []string{m.styles.strong.Render("kubectl weir watch"), ""}
	const keyWidth = 7
	for _, row := range rows {
		if row[0] == "" {
			lines = append(lines, row[1])
			continue
		}
		lines = append(lines, m.styles.strong.Render(cell(row[0], keyWidth))+row[1])
	}
	return lines
}
