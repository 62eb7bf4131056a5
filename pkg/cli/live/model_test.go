package live_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	_ "github.com/cockroachdb/datadriven" // its flag -rewrite is the one here
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli/live"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 3, 30, 0, time.UTC) }

// scene is what is seen of a Canary, and what its checks had answered before.
type scene struct {
	Share                         int32
	Gets, Tested, Serving, Unread string
	Before                        map[string][]string
	Events                        []struct {
		At           metav1.Time
		Warning      bool
		Reason, Note string
	}
	Canary *v1beta1.Canary
}

func read(t *testing.T, name string) scene {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name + ".yaml")
	require.NoError(t, err)
	s := scene{}
	require.NoError(t, yaml.UnmarshalStrict(raw, &s))
	return s
}

func podinfo() types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: "podinfo"} }

func (s scene) release() live.Release {
	r := live.Release{Key: podinfo(), Canary: s.Canary, Share: s.Share, Gets: s.Gets, Tested: s.Tested, Serving: s.Serving,
		Unread: s.Unread}
	for _, e := range s.Events {
		r.Events = append(r.Events, live.Event{At: e.At.UTC(), Warning: e.Warning, Reason: e.Reason, Note: e.Note})
	}
	return r
}

// past are the releases that were seen before: the answers of the checks, half a minute apart.
func (s scene) past() []live.Release {
	rounds := 0
	for _, values := range s.Before {
		rounds = max(rounds, len(values))
	}
	var all []live.Release
	for i := range rounds {
		c := s.Canary.DeepCopy()
		if c.Status.Run == nil { // it is over by now
			c.Status.Run = &v1beta1.RunStatus{ID: "before"}
		}
		for j := range c.Status.Checks {
			check := &c.Status.Checks[j]
			if values := s.Before[check.Name]; i < len(values) {
				check.Value, check.Verdict = values[i], v1beta1.VerdictPassed
				check.At = metav1.NewTime(now().Add(time.Duration(i-rounds) * 15 * time.Second))
			}
		}
		all = append(all, live.Release{Key: podinfo(), Canary: c})
	}
	return all
}

// hand remembers what the view wanted done.
type hand struct {
	opened []types.NamespacedName
	listed int
	given  []v1beta1.Command
	refuse error
}

func (h *hand) Open(key types.NamespacedName) { h.opened = append(h.opened, key) }
func (h *hand) List()                         { h.listed++ }
func (h *hand) Order(_ *v1beta1.Canary, c v1beta1.Command) (string, error) {
	h.given = append(h.given, c)
	return "done\nas told", h.refuse
}

// seat is somebody in front of the view.
type seat struct {
	*testing.T
	model tea.Model
	hand  *hand
}

func sit(t *testing.T, open types.NamespacedName, width, height int) *seat {
	t.Helper()
	h := &hand{}
	s := &seat{T: t, hand: h, model: live.New(h, now, open)}
	s.gets(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

// shown is a seat before a scene.
func shown(t *testing.T, name string, width, height int) *seat {
	t.Helper()
	scene := read(t, name)
	s := sit(t, podinfo(), width, height)
	for _, r := range scene.past() {
		s.gets(r)
	}
	s.gets(scene.release())
	return s
}

// gets passes messages to the view, and carries out what they set going.
func (s *seat) gets(messages ...tea.Msg) {
	s.Helper()
	for _, msg := range messages {
		var cmd tea.Cmd
		s.model, cmd = s.model.Update(msg)
		if _, isTick := msg.(live.Tick); cmd == nil || isTick {
			continue
		}
		if answer := cmd(); answer != nil {
			s.gets(answer)
		}
	}
}

// types presses one key after the other: names of keys, or letters.
func (s *seat) types(keys ...string) {
	s.Helper()
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "space": ' ', "up": tea.KeyUp,
		"down": tea.KeyDown, "backspace": tea.KeyBackspace, "end": tea.KeyEnd, "home": tea.KeyHome, "pgdown": tea.KeyPgDown}
	for _, key := range keys {
		code, isNamed := named[key]
		switch {
		case key == "space":
			s.gets(tea.KeyPressMsg{Code: code, Text: " "})
		case isNamed:
			s.gets(tea.KeyPressMsg{Code: code})
		default:
			for _, r := range key {
				s.gets(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
		}
	}
}

// screen is what is seen, without colours.
func (s *seat) screen() string {
	lines := strings.Split(ansi.Strip(s.model.View().Content), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (s *seat) golden(name string) {
	s.Helper()
	path := filepath.Join("testdata", name+".golden")
	if flag.Lookup("rewrite").Value.String() == "true" {
		require.NoError(s, os.WriteFile(path, []byte(s.screen()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(s, err)
	require.Equal(s, string(want), s.screen())
}

// TestScreens shows every phase on the smallest usual terminal and on a larger one. Rewrite what is seen with
// `go test ./pkg/cli/live -rewrite`.
func TestScreens(t *testing.T) {
	for _, name := range []string{"idle", "progressing", "gate", "paused", "promoted", "rolledback"} {
		for size, s := range map[string]*seat{"80x24": shown(t, name, 80, 24), "120x40": shown(t, name, 120, 40)} {
			t.Run(name+" "+size, func(t *testing.T) {
				s.T = t
				s.golden(name + "-" + size)
			})
		}
	}
}

// TestScreenFits: whatever is seen at whatever size, no line is wider than the terminal, and there are exactly as many.
func TestScreenFits(t *testing.T) {
	for _, name := range []string{"idle", "progressing", "gate", "paused", "promoted", "rolledback"} {
		s := shown(t, name, 80, 24)
		for _, keys := range [][]string{nil, {"?"}, {"esc", "a"}, {"esc"}, {"tab"}} {
			s.types(keys...)
			for _, size := range []tea.WindowSizeMsg{
				{Width: 40, Height: 10}, {Width: 61, Height: 13}, {Width: 80, Height: 24}, {Width: 300, Height: 90},
			} {
				s.gets(size)
				content := s.model.View().Content
				lines := strings.Split(content, "\n")
				assert.Len(t, lines, size.Height, "%s %v at %v", name, keys, size)
				for _, line := range lines {
					assert.LessOrEqual(t, ansi.StringWidth(line), size.Width, "%s %v at %v: %q", name, keys, size, line)
				}
			}
		}
	}
	s := shown(t, "gate", 20, 5)
	assert.Equal(t, "The terminal is too…\n", s.screen())
}

// TestNothingWrittenMovesTheCursor: of all control characters only the view's own colours reach the terminal.
func TestNothingWrittenMovesTheCursor(t *testing.T) {
	s := shown(t, "paused", 120, 40)
	plain := ansi.Strip(s.model.View().Content)
	assert.Contains(t, plain, "the graphs [31mlook[0m odd")
	for _, r := range plain {
		assert.True(t, r == '\n' || r >= ' ', "control character %q", r)
	}
}
