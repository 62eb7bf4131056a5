package cli_test

import (
	"io"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/cli"
)

// left is what a terminal is told when the view is gone: the screen that was before comes back.
const left = "\x1b[?1049l"

// keyboard is what somebody types at a terminal.
type keyboard struct {
	*bench
	*io.PipeWriter
}

func (k keyboard) types(keys string) {
	k.Helper()
	_, err := io.WriteString(k.PipeWriter, keys)
	require.NoError(k, err)
}

// looks types a command at a terminal.
func (b *bench) looks(args ...string) (*running, keyboard) {
	b.Helper()
	in, keys := io.Pipe()
	b.Cleanup(func() { _ = keys.Close() })
	return b.sits(cli.Terminal{In: in, Interactive: true}, args...), keyboard{b, keys}
}

// looksOn opens a Canary, sees what changes, and orders something by a key. What the view draws later is drawn over
// what was there, so words are looked for that have nothing in common with those.
func looksOn(b *bench) {
	b.managed()
	seen, keys := b.looks("watch", "podinfo")
	seen.shows("Initialized")
	b.starts(b.applies("podinfo:2"))
	seen.shows("Progressing")

	canary := b.canary()
	_, err := b.kube.CoreV1().Events(b.namespace).Create(b.Context(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "podinfo.1"},
		InvolvedObject: corev1.ObjectReference{Kind: "Canary", Namespace: b.namespace, Name: "podinfo", UID: canary.UID},
		Reason:         "QQQ", Message: "XXXYYYZZZ", Type: corev1.EventTypeNormal, LastTimestamp: metav1.NewTime(now()),
	}, metav1.CreateOptions{})
	require.NoError(b, err)
	seen.shows("XXXYYYZZZ")

	got := b.answers(true, "###@@@###")
	keys.types("a")
	seen.shows("needed")
	keys.types("the graphs look odd\r")
	command := <-got
	assert.Equal(b, v1beta1.VerbAbort, command.Verb)
	assert.Equal(b, "the graphs look odd", command.Reason)
	assert.Equal(b, "admin", command.Actor)
	seen.shows("###@@@###")

	keys.types("q")
	typed := seen.ends()
	assert.Equal(b, 0, typed.code, typed.err)
	assert.Contains(b, typed.out[strings.LastIndex(typed.out, "###"):], left)
}

// looksOnAtAll sees the list, and opens one of it.
func looksOnAtAll(b *bench) {
	b.managed()
	seen, keys := b.looks("watch")
	seen.shows("podinfo")
	b.starts(b.applies("podinfo:2"))
	seen.shows("Progressing")
	keys.types("\r")
	seen.shows("Primary")
	keys.types("\x03") // Ctrl-C
	typed := seen.ends()
	assert.Equal(b, 0, typed.code, typed.err)
	assert.Contains(b, typed.out, left)
}

// looksOnInLines is what a pipe gets.
func looksOnInLines(b *bench) {
	b.managed()
	one, all := b.begins("watch", "podinfo"), b.begins("watch")
	one.shows("Initialized")
	all.shows(b.namespace + "/podinfo")
	b.starts(b.applies("podinfo:2"))
	one.shows("12:03:30  Progressing         0%  step 1/2   waiting for 1 ready canary pods\n")
	all.shows("12:03:30  " + b.namespace + "/podinfo  Progressing ")
	require.NoError(b, b.weir.WeirV1beta1().Canaries(b.namespace).Delete(b.Context(), "podinfo", metav1.DeleteOptions{}))
	typed := one.ends()
	assert.Equal(b, 1, typed.code)
	assert.Contains(b, typed.err, "Canary podinfo was deleted")
	all.shows(b.namespace + "/podinfo  deleted\n")
	all.interrupt()
	assert.Contains(b, all.ends().err, "interrupted")
	assert.NotContains(b, typed.out, "\x1b")
}

// looksOnUntilInterrupted is told to end by a signal.
func looksOnUntilInterrupted(b *bench) {
	b.managed()
	seen, _ := b.looks("watch", "podinfo")
	seen.shows("Initialized")
	seen.interrupt()
	typed := seen.ends()
	assert.Equal(b, 1, typed.code)
	assert.Contains(b, typed.err, "interrupted")
	assert.Contains(b, typed.out, left)
}

// looksOnWithoutRights may read the Canaries of one namespace and nothing else: neither list all, nor the pods.
func looksOnWithoutRights(b *bench) {
	b.managed()
	b.allows()
	seen, keys := b.looks("watch", "podinfo", "--as", "ann")
	seen.shows("forbidden")
	seen.shows("3 of 3") // as the status had them
	keys.types("\t")
	seen.shows("namespace " + b.namespace)
	keys.types("q")
	assert.Equal(b, 0, seen.ends().code)

	typed := b.types("watch", "nobody")
	assert.Equal(b, 1, typed.code)
	assert.Contains(b, typed.err, "there is no Canary nobody")
	assert.Equal(b, 1, b.types("watch", "a", "b").code)
}
