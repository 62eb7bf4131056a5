package live_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli/live"
)

func TestKeysOrderWithAReason(t *testing.T) {
	for _, c := range []struct {
		scene string
		keys  []string
		want  v1beta1.Command
	}{
		{"progressing", []string{"a", "too", "space", "slow", "enter"}, v1beta1.Command{Verb: "abort", Reason: "too slow"}},
		{"progressing", []string{"space", "enter"}, v1beta1.Command{Verb: "pause"}},
		{"progressing", []string{"n", "x", "backspace", "ok", "enter"}, v1beta1.Command{Verb: "skip-step", Reason: "ok"}},
		{"progressing", []string{"p", "q?", "enter"}, v1beta1.Command{Verb: "promote", Full: true, Reason: "q?"}},
		{"paused", []string{"space", "enter"}, v1beta1.Command{Verb: "resume"}},
		{"gate", []string{"p", "seen", "enter"}, v1beta1.Command{Verb: "promote", Reason: "seen"}},
		{"gate", []string{"g", "enter"}, v1beta1.Command{Verb: "approve", Gate: "load-test"}},
		{"rolledback", []string{"r", "enter"}, v1beta1.Command{Verb: "retry"}},
	} {
		s := shown(t, c.scene, 80, 24)
		s.types(c.keys[0])
		assert.Empty(t, s.hand.given, "one key orders nothing")
		s.types(c.keys[1:]...)
		require.Equal(t, []v1beta1.Command{c.want}, s.hand.given)
		assert.Contains(t, s.screen(), "done as told")
	}
}

func TestAbortWantsToKnowWhy(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.types("a", "enter")
	assert.Empty(t, s.hand.given)
	assert.Contains(t, s.screen(), "say why:")
	s.types("bad", "enter")
	assert.Equal(t, []v1beta1.Command{{Verb: "abort", Reason: "bad"}}, s.hand.given)

	s = shown(t, "gate", 80, 24)
	s.types("p", "tab", "enter")
	assert.Empty(t, s.hand.given, "in full, too")
}

func TestEscOrdersNothing(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.types("a", "bad", "esc", "enter")
	assert.Empty(t, s.hand.given)
	assert.Contains(t, s.screen(), "nothing was ordered")
}

func TestAKeyWithoutSense(t *testing.T) {
	s := shown(t, "idle", 80, 24)
	s.types("a", "enter")
	assert.Empty(t, s.hand.given)
	assert.Contains(t, s.screen(), "abort makes no sense as the run stands")
}

func TestARefusalIsTold(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.hand.refuse = errors.New("pause is refused: it is paused already")
	s.types("space", "enter")
	assert.Contains(t, s.screen(), "pause is refused: it is paused already")
}

// TestAnotherRun: who was asked about one run has not agreed to do it to the next.
func TestAnotherRun(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.types("a", "bad")
	next := read(t, "progressing")
	next.Canary.Status.Run.ID = "another"
	s.gets(next.release())
	s.types("enter")
	assert.Empty(t, s.hand.given)
	assert.Contains(t, s.screen(), "another run is on now; nothing was ordered")
}

func TestSeveralGates(t *testing.T) {
	scene := read(t, "gate")
	second := scene.Canary.Status.Gates[1]
	second.Name = "security"
	scene.Canary.Status.Gates = append(scene.Canary.Status.Gates, second)
	s := sit(t, podinfo(), 80, 24)
	s.gets(scene.release())
	s.types("g", "tab", "enter")
	assert.Equal(t, []v1beta1.Command{{Verb: "approve", Gate: "security"}}, s.hand.given)
}

func TestPasteAndLongReasons(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.types("a")
	s.gets(tea.PasteMsg{Content: "line\n" + strings.Repeat("x", 1000) + "\x1b[2J"})
	s.types("enter")
	require.Len(t, s.hand.given, 1)
	assert.Len(t, []rune(s.hand.given[0].Reason), 512, "as much as the operator takes")
	assert.NotContains(t, s.hand.given[0].Reason, "\n")
}

func TestQuitting(t *testing.T) {
	quits := func(s *seat, key tea.KeyPressMsg) bool {
		_, cmd := s.model.Update(key)
		return cmd != nil && cmd() == tea.Quit()
	}
	q, ctrlC := tea.KeyPressMsg{Code: 'q', Text: "q"}, tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}
	s := shown(t, "progressing", 80, 24)
	assert.True(t, quits(s, q))
	assert.True(t, quits(s, ctrlC))
	s.types("a")
	assert.False(t, quits(s, q), "it is a letter of the reason")
	assert.True(t, quits(s, ctrlC))
}

func TestHelp(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.types("?")
	s.golden("help-80x24")
	s.types("x")
	assert.Contains(t, s.screen(), "CHECK")
}

func TestPrompt(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.types("a", "the", "space", "graphs")
	s.golden("prompt-80x24")
}

// many are Canaries of three namespaces.
func many(t *testing.T) live.List {
	t.Helper()
	l := live.List{Where: "all namespaces"}
	for _, namespace := range []string{"billing", "checkout", "shop"} {
		for i, name := range []string{"idle", "progressing", "gate", "paused", "promoted", "rolledback"} {
			c := read(t, name).Canary
			c.Namespace, c.Name = namespace, fmt.Sprintf("app-%d", i)
			l.Canaries = append(l.Canaries, c)
		}
	}
	return l
}

func TestList(t *testing.T) {
	s := sit(t, types.NamespacedName{}, 80, 24)
	assert.Contains(t, s.screen(), "Reading")
	s.gets(many(t))
	s.golden("list-80x24")
	s.gets(tea.WindowSizeMsg{Width: 120, Height: 12})
	s.types("end", "up")
	s.golden("list-120x12")

	s.types("/", "rolled", "space", "back")
	assert.Contains(t, s.screen(), "filter: rolled back")
	assert.Contains(t, s.screen(), `3 of 18 with "rolled back"`)
	s.types("enter", "home", "down", "enter")
	assert.Equal(t, []types.NamespacedName{{Namespace: "checkout", Name: "app-5"}}, s.hand.opened)
	assert.Contains(t, s.screen(), "app-5 in checkout")

	s.types("tab", "esc")
	assert.Contains(t, s.screen(), "app-0", "the filter is gone")
	s.gets(live.List{Where: "all namespaces"})
	s.types("enter", "down")
	assert.Contains(t, s.screen(), "There are none.")
}

// TestListKeepsItsPlace: what is chosen stays chosen while others come and go.
func TestListKeepsItsPlace(t *testing.T) {
	s := sit(t, types.NamespacedName{}, 80, 24)
	l := many(t)
	s.gets(l)
	s.types("down", "down")
	s.gets(live.List{Where: l.Where, Canaries: l.Canaries[1:]})
	s.types("enter")
	assert.Equal(t, []types.NamespacedName{{Namespace: "billing", Name: "app-2"}}, s.hand.opened)
}

func TestTheListIsFollowedOnce(t *testing.T) {
	s := shown(t, "gate", 80, 24)
	s.types("tab", "tab", "tab")
	assert.Equal(t, 1, s.hand.listed)
	assert.Contains(t, s.screen(), "Canaries")
}

// TestLateNews: what was still on its way of one that was left is not shown as the one that is open.
func TestLateNews(t *testing.T) {
	s := sit(t, types.NamespacedName{}, 80, 24)
	s.gets(many(t))
	s.types("enter")
	s.gets(read(t, "gate").release())
	assert.Contains(t, s.screen(), "Reading")
}

func TestDeletedAndTrouble(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	s.gets(live.Trouble("the API server is not reached: refused"))
	assert.Contains(t, s.screen(), "this may be old: the API server is not reached: refused")
	s.gets(live.Tick(now().Add(time.Hour)))
	assert.NotContains(t, s.screen(), "may be old")
	s.types("a", "bad")
	s.gets(live.Release{Key: podinfo()})
	assert.Contains(t, s.screen(), "This Canary was deleted.")
	s.types("enter")
	assert.Empty(t, s.hand.given)
}

func TestTimesGrow(t *testing.T) {
	s := shown(t, "progressing", 80, 24)
	assert.Contains(t, s.screen(), "in 16s the next round")
	s.gets(live.Tick(now().Add(10 * time.Second)))
	assert.Contains(t, s.screen(), "in 6s the next round")
	s.gets(live.Tick(now().Add(time.Minute)))
	assert.Contains(t, s.screen(), "a round of checks is due since 44s")
}
