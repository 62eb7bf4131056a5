package cli_test

import (
	"encoding/json"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// meets waits in the background for a command to be given, and does something then. What it gives is closed when
// that is done.
func (b *bench) meets(then func(v1beta1.Command)) (done <-chan struct{}) {
	b.Helper()
	changes, err := b.weir.WeirV1beta1().Canaries(b.namespace).Watch(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	b.Cleanup(changes.Stop)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for e := range changes.ResultChan() {
			c, ok := e.Object.(*v1beta1.Canary)
			if !ok {
				continue
			}
			if command, err := v1beta1.ParseCommand(c.Annotations[v1beta1.CommandAnnotation]); err == nil {
				then(command)
				return
			}
		}
	}()
	return finished
}

// answers plays the operator once: it writes what came of a command, and passes the command on.
func (b *bench) answers(accepted bool, result string) <-chan v1beta1.Command {
	b.Helper()
	got := make(chan v1beta1.Command, 1)
	b.meets(func(command v1beta1.Command) {
		b.commits(func(st *v1beta1.CanaryStatus) {
			st.LastCommand = &v1beta1.CommandStatus{
				ID: command.ID, Verb: command.Verb, At: metav1.NewTime(now()), Accepted: accepted, Result: result,
			}
		})
		got <- command
	})
	return got
}

func accepted(b *bench) {
	b.managed()
	for _, c := range []struct {
		args []string
		want v1beta1.Command
	}{
		{[]string{"pause", "podinfo", "--reason", "it looks odd", "--actor", "ann"},
			v1beta1.Command{Verb: "pause", Reason: "it looks odd", Actor: "ann"}},
		{[]string{"resume", "canary/podinfo", "--actor", "ann"}, v1beta1.Command{Verb: "resume", Actor: "ann"}},
		{[]string{"promote", "podinfo", "--full", "--actor", "ann"}, v1beta1.Command{Verb: "promote", Full: true, Actor: "ann"}},
		{[]string{"approve", "podinfo", "load-test", "-m", "seen", "--actor", "ann"},
			v1beta1.Command{Verb: "approve", Gate: "load-test", Reason: "seen", Actor: "ann"}},
	} {
		b.forgetsCommand()
		got := b.answers(true, "done as told")
		typed := b.types(c.args...)
		assert.Equal(b, 0, typed.code, typed.err)
		assert.Equal(b, "Canary podinfo: done as told\n", typed.out)
		assert.Empty(b, typed.err)
		command := <-got
		assert.NotEmpty(b, command.ID)
		command.ID = ""
		assert.Equal(b, c.want, command)
	}
}

// forgetsCommand takes away the command before, so that the next one is told from it.
func (b *bench) forgetsCommand() {
	b.Helper()
	c := b.canary()
	delete(c.Annotations, v1beta1.CommandAnnotation)
	_, err := b.weir.WeirV1beta1().Canaries(b.namespace).Update(b.Context(), c, metav1.UpdateOptions{})
	require.NoError(b, err)
}

func refuses(b *bench) {
	b.managed()
	got := b.answers(false, "no run is on")
	typed := b.types("abort", "podinfo")
	<-got
	assert.Equal(b, 1, typed.code)
	assert.Empty(b, typed.out)
	assert.Equal(b, "kubectl weir: abort is refused: no run is on\n", typed.err)
}

func unanswered(b *bench) {
	b.managed()
	typed := b.types("retry", "podinfo", "--timeout", "10ms")
	assert.Equal(b, 5, typed.code)
	assert.Equal(b, "kubectl weir: Weir has not answered within 10ms; is the operator running? "+
		"The command stays with the Canary and is carried out when it is\n", typed.err)

	typed = b.types("retry", "podinfo", "--timeout", "4s")
	assert.Equal(b, 5, typed.code)
	assert.Contains(b, typed.err, "waiting for Weir's answer to retry, for 4s at most\n", "nobody is left in silence")

	typed = b.types("retry", "podinfo", "--no-wait")
	assert.Equal(b, 0, typed.code)
	assert.Equal(b, "retry is ordered for Canary podinfo; Weir carries it out at its next look\n", typed.out)
	command, err := v1beta1.ParseCommand(b.canary().Annotations[v1beta1.CommandAnnotation])
	require.NoError(b, err)
	assert.Equal(b, v1beta1.VerbRetry, command.Verb)
}

// overtaken is a command that another one took the place of before Weir saw it.
func overtaken(b *bench) {
	b.managed()
	done := b.meets(func(v1beta1.Command) {
		raw, err := json.Marshal(v1beta1.Command{ID: "other", Verb: "abort", Actor: "ben"})
		assert.NoError(b, err)
		c := b.canary()
		c.Annotations[v1beta1.CommandAnnotation] = string(raw)
		_, err = b.weir.WeirV1beta1().Canaries(b.namespace).Update(b.Context(), c, metav1.UpdateOptions{})
		assert.NoError(b, err)
		b.commits(func(st *v1beta1.CanaryStatus) {
			st.LastCommand = &v1beta1.CommandStatus{ID: "other", Verb: "abort", Actor: "ben", At: metav1.NewTime(now())}
		})
	})
	typed := b.types("pause", "podinfo")
	<-done
	assert.Equal(b, 1, typed.code)
	assert.Equal(b, "kubectl weir: pause was not carried out, because abort by ben took its place before Weir saw it; "+
		"give it again\n", typed.err)
}

// actors is who a command is said to come from, where nobody says.
func actors(b *bench) {
	b.managed()
	got := b.answers(true, "paused")
	require.Equal(b, 0, b.types("pause", "podinfo").code)
	me, err := b.kube.AuthenticationV1().SelfSubjectReviews().
		Create(b.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	require.NoError(b, err)
	assert.Equal(b, me.Status.UserInfo.Username, (<-got).Actor)
}

func restarts(b *bench) {
	b.managed()
	typed := b.types("restart", "podinfo")
	require.Equal(b, 0, typed.code, typed.err)
	assert.Equal(b, b.kind+" podinfo has a new template, and a run of it begins; follow it with "+
		"`kubectl weir status podinfo --wait -n "+b.namespace+"`\n", typed.out)
	assert.Equal(b, map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-11-23T12:03:30Z"}, b.template().Annotations)

	b.starts(b.applies("podinfo:2"))
	assert.Contains(b, b.types("restart", "podinfo").out, "a run of it begins, in the place of the one that is on")
}

// restartsNothing of what Weir has not taken over: it would be rolled out at once.
func restartsNothing(b *bench) {
	b.deploys("podinfo:1")
	b.watchesOver()
	typed := b.types("restart", "podinfo")
	assert.Equal(b, 1, typed.code)
	assert.Contains(b, typed.err, "wait until Canary podinfo is Initialized")
}
