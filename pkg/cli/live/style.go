package live

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// styles are the terminal's own sixteen colours, which people have chosen to be read. What a colour says is said in
// words, too.
type styles struct {
	strong, dim, good, bad, warn, canary, primary, chosen lipgloss.Style
}

func newStyles() styles {
	plain := lipgloss.NewStyle()
	return styles{
		strong: plain.Bold(true), dim: plain.Faint(true), chosen: plain.Reverse(true),
		good: plain.Foreground(lipgloss.Green), bad: plain.Foreground(lipgloss.Red).Bold(true),
		warn: plain.Foreground(lipgloss.Yellow), canary: plain.Foreground(lipgloss.Yellow),
		primary: plain.Foreground(lipgloss.Blue),
	}
}

func (s styles) verdict(v v1beta1.Verdict) lipgloss.Style {
	switch v {
	case v1beta1.VerdictPassed:
		return s.good
	case v1beta1.VerdictFailed:
		return s.bad
	}
	return s.warn
}

func (s styles) phase(p v1beta1.Phase) lipgloss.Style {
	switch p {
	case v1beta1.PhaseFailed, v1beta1.PhaseTerminating:
		return s.bad
	case v1beta1.PhaseSucceeded, v1beta1.PhaseInitialized:
		return s.good
	}
	return s.warn
}

func (s styles) gate(g v1beta1.GateState) lipgloss.Style {
	switch g {
	case v1beta1.GateOpen, v1beta1.GateApproved:
		return s.good
	case v1beta1.GateFailed, v1beta1.GateTimedOut:
		return s.bad
	}
	return s.warn
}

// fit cuts a text to a width, and says by an ellipsis that it did.
func fit(text string, width int) string { return ansi.Truncate(text, max(width, 0), "…") }

// cell is a text of exactly that width.
func cell(text string, width int) string {
	text = fit(text, width)
	return text + strings.Repeat(" ", max(width-lipgloss.Width(text), 0))
}

// ends is a line with one text at each end. Where both do not fit, the left one is cut.
func ends(left, right string, width int) string {
	room := width - lipgloss.Width(right)
	if room < 2 { //nolint:mnd // a letter and a space
		return fit(left, width)
	}
	return cell(fit(left, room-1), room) + right
}

// wrapped is a text in at most so many lines.
func wrapped(text string, width, most int) []string {
	if text == "" || width < 1 {
		return nil
	}
	lines := strings.Split(ansi.Wrap(text, width, " "), "\n")
	if len(lines) > most {
		rest := strings.Join(lines[most-1:], " ")
		lines = append(lines[:most-1:most-1], fit(rest, width-1))
		if !strings.HasSuffix(lines[most-1], "…") {
			lines[most-1] += "…"
		}
	}
	return lines
}
