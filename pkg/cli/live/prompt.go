package live

import (
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// prompt asks for the reason of a command before it is given.
type prompt struct {
	// choices are the commands that it may be: one, or that of each gate that is closed, or both ways to promote. at is
	// the one.
	choices []words.Order
	at      int
	// run that it is about.
	run    string
	reason string
	// lacking says that the command needs a reason and has none.
	lacking bool
}

func (p prompt) order() words.Order { return p.choices[p.at] }

// needsReason says that a command cannot be taken back, and is not given without a word.
func (p prompt) needsReason() bool {
	command := p.order().Command
	return command.Verb == v1beta1.VerbAbort || command.Full
}

// longestReason is the most characters that the operator takes.
const longestReason = 512

// prompted is the view after a key while it asks.
func (m Model) prompted(key tea.KeyPressMsg) (tea.Model, tea.Cmd) {
	p := *m.prompt
	switch key.String() {
	case "esc":
		m.prompt, m.said = nil, answered{"nothing was ordered", false}
		return m, nil
	case "enter":
		if p.needsReason() && p.reason == "" {
			p.lacking, m.prompt = true, &p
			return m, nil
		}
		return m.gives(p)
	case "tab":
		p.at = (p.at + 1) % len(p.choices)
	case "backspace":
		_, last := utf8.DecodeLastRuneInString(p.reason)
		p.reason = p.reason[:len(p.reason)-last]
	case "ctrl+u":
		p.reason = ""
	default:
		return m.types(key.Text), nil
	}
	m.prompt = &p
	return m, nil
}

// types adds to the reason, or to the filter.
func (m Model) types(text string) Model {
	switch {
	case m.prompt != nil:
		p := *m.prompt
		p.reason, p.lacking = bounded(p.reason+words.Typed(text)), false
		m.prompt = &p
	case m.onList && m.list.typing:
		m.list.filter = bounded(m.list.filter + words.Typed(text))
	}
	return m
}

func bounded(text string) string {
	if all := []rune(text); len(all) > longestReason {
		return string(all[:longestReason])
	}
	return text
}

// gives orders it, and waits for the answer beside the view.
func (m Model) gives(p prompt) (tea.Model, tea.Cmd) {
	hands, canary, command := m.hands, m.release.Canary, p.order().Command
	command.Reason = p.reason
	m.prompt, m.said = nil, answered{command.Verb + " is ordered; waiting for Weir's answer", false}
	return m, func() tea.Msg {
		result, err := hands.Order(canary, command)
		if err != nil {
			return answered{words.Line(err.Error()), true}
		}
		return answered{words.Line(result), false}
	}
}
