package walks

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/desk"
	"weir.dev/weir/e2e/pages"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// patience is how long what the page goes on with may be waited for, once Weir was asked for it; the machine may take
// longer for a command.
const (
	patience  = time.Minute
	ofMachine = 5 * time.Minute
)

// walk is one through a page, by one person.
type walk struct {
	*ground
	t         *testing.T
	shell     *desk.Shell
	namespace string
	page      pages.Page
	// arrive is what is done before the first command under a heading, and before and after what is done at a command, by
	// its beginning: what the page takes for granted, and what it says of the outcome.
	arrive map[string]func()
	before map[string]func()
	after  map[string]func(said string)
	// fails are words of what a command says that has to fail, by its beginning.
	fails map[string]string
	// endless are words of what a command says that would not end by itself, by its beginning: then enough is seen.
	endless map[string]string
	// released is that the target was changed since the last watch.
	released bool
	typed    []pages.Step
	// guest is that somebody else has installed Weir, and removes it.
	guest bool
}

// enter begins a walk.
func (g *ground) enter(t *testing.T, file string) *walk {
	t.Helper()
	page, err := pages.Read(g.tree, file)
	require.NoError(t, err)
	name := strings.NewReplacer("/", "-", ".md", "").Replace(strings.ToLower(file))
	w := &walk{
		ground: g, t: t, namespace: "walk-" + name, page: page, arrive: map[string]func(){}, before: map[string]func(){},
		after: map[string]func(string){}, fails: map[string]string{}, endless: map[string]string{},
	}
	w.shell = g.sit(t, w.namespace)
	t.Cleanup(w.leave)
	g.outside.failing.Store(false)
	return w
}

// leave takes away what would be in the way of the next walk. One that came to its end has done so, but for a guest.
func (w *walk) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// A namespace does not end without a kubelet, and a Deployment that stays paused in it would be left of Weir's.
	commands := []string{"kubectl delete canaries.weir.dev --all --timeout=20s", "kubectl delete deployments --all --timeout=20s"}
	if !w.guest {
		defer w.dismiss()
		commands = []string{"kubectl delete canaries.weir.dev --all --all-namespaces --timeout=20s", "kubectl delete -k mine"}
		if !w.t.Failed() {
			return
		}
	}
	for _, command := range commands {
		_, _ = w.shell.Type(ctx, command) // of what may not be there at all
	}
}

// goOn goes through steps of the page, but for what is excepted.
func (w *walk) goOn(steps []pages.Step) {
	w.t.Helper()
	at := ""
	for _, step := range steps {
		if arrive := w.arrive[step.Heading]; arrive != nil && step.Heading != at {
			arrive()
		}
		at = step.Heading
		if i := exceptionOf(step); i >= 0 {
			w.t.Logf("not typed: %s: %s", step.Command, exceptions()[i].why)
			continue
		}
		w.typed = append(w.typed, step)
		w.step(step)
	}
}

// under are the steps of the page under some headings; without any, all of them.
func (w *walk) under(headings ...string) []pages.Step {
	w.t.Helper()
	var some []pages.Step
	for _, step := range w.page.Steps() {
		for _, heading := range headings {
			if step.Heading == heading {
				some = append(some, step)
			}
		}
	}
	require.NotEmpty(w.t, some)
	return some
}

func (w *walk) step(step pages.Step) {
	w.t.Helper()
	if step.File != "" {
		require.NoError(w.t, w.shell.Write(step))
		return
	}
	for beginning, do := range w.before {
		if strings.HasPrefix(step.Command, beginning) {
			do()
		}
	}
	said := w.do(step.Command)
	for beginning, look := range w.after {
		if strings.HasPrefix(step.Command, beginning) {
			look(said)
		}
	}
}

// do types a command, and sees to the operator.
func (w *walk) do(command string) string {
	w.t.Helper()
	if watched := regexp.MustCompile(`^kubectl get canary (\S+) --watch$`).FindStringSubmatch(command); watched != nil {
		return w.watch(command)
	}
	for beginning, words := range w.endless {
		if strings.HasPrefix(command, beginning) {
			return w.until(command, func(said string) bool { return strings.Contains(said, words) })
		}
	}
	switch {
	case strings.Contains(command, "PODINFO_RANDOM_ERROR=true"):
		w.outside.failing.Store(true)
	case strings.Contains(command, "PODINFO_RANDOM_ERROR-"):
		w.outside.failing.Store(false)
	}
	for _, change := range []string{"kubectl set ", "kubectl patch ksvc "} {
		w.released = w.released || strings.HasPrefix(command, change)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), ofMachine)
	defer cancel()
	said, err := w.shell.Type(ctx, command)
	for beginning, words := range w.fails {
		if strings.HasPrefix(command, beginning) {
			require.Error(w.t, err)
			require.Contains(w.t, said, words)
			return said
		}
	}
	require.NoError(w.t, err, "%s: %s\n%s", w.page.File, command, said)
	w.attend(w.t)
	return said
}

// watch ends what would not end by itself when it shows the phase that the page goes on with.
func (w *walk) watch(command string) string {
	w.t.Helper()
	wanted := v1beta1.PhaseInitialized
	if w.released {
		wanted = v1beta1.PhaseSucceeded
		if w.outside.failing.Load() {
			wanted = v1beta1.PhaseFailed
		}
	}
	w.released = false
	return w.until(command, func(said string) bool {
		lines := strings.Split(strings.TrimSpace(said), "\n")
		last := strings.Fields(lines[len(lines)-1])
		return len(last) > 1 && last[1] == string(wanted)
	})
}

// until ends a command when enough is seen of what it says.
func (w *walk) until(command string, enough func(said string) bool) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	said, err := w.shell.Until(ctx, command, enough)
	require.NoError(w.t, err, "%s: %s", w.page.File, command)
	return said
}

// remove takes Weir off the cluster, by the last sentence of the README.
func (w *walk) remove() {
	w.t.Helper()
	w.do("kubectl delete -k mine")
}

// canary is nil where there is none.
func (w *walk) canary(name string) *v1beta1.Canary {
	w.t.Helper()
	c, err := w.Weir.WeirV1beta1().Canaries(w.namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	require.NoError(w.t, err)
	return c
}

// outcomes are how the runs of a Canary ended, the last one first.
func (w *walk) outcomes(name string) []v1beta1.Outcome {
	w.t.Helper()
	var all []v1beta1.Outcome
	for _, run := range w.canary(name).Status.History {
		all = append(all, run.Outcome)
	}
	return all
}

// given wants a Canary to be gone, and its Deployment to be its user's again.
func (w *walk) given(name string) {
	w.t.Helper()
	assert.Nil(w.t, w.canary(name))
	deployment, err := w.Kube.AppsV1().Deployments(w.namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	require.NoError(w.t, err)
	assert.False(w.t, deployment.Spec.Paused, "the Deployment is still paused")
}
