package cli_test

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func waitsForNothing(b *bench) {
	b.managed()
	typed := b.types("status", "podinfo", "--wait")
	assert.Equal(b, 0, typed.code, typed.err)
	serves := b.canary().Status.Primary.Hash
	assert.Equal(b, "revision "+serves+" of podinfo serves, and no run of it is on\n", typed.out)
}

// waitsForTheRunToBegin is `kubectl apply && kubectl weir status --wait`: the status still says that all is well,
// because Weir has not looked yet.
func waitsForTheRunToBegin(b *bench) {
	b.managed()
	hash := b.applies("podinfo:2")
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("waiting for Weir to begin a run of revision " + hash)
	b.starts(hash)
	waits.shows("step 1/2")
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Weight, st.FailedChecks = 10, 1
		st.Conditions = []metav1.Condition{ready("Analysing", "step 1/2 (10 %) is being analysed")}
	})
	waits.shows("10%")
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.Weight = 0
		endsRun(st, v1beta1.OutcomePromoted, "Passed", "every step passed")
	})
	typed := waits.ends()
	assert.Equal(b, 0, typed.code, typed.err)
	assert.Equal(b, strings.ReplaceAll(`12:03:30  Initialized         0%             waiting for Weir to begin a run of revision HASH
12:03:30  Progressing         0%  step 1/2   waiting for 1 ready canary pods
12:03:30  Progressing        10%  step 1/2   1/2 failed  step 1/2 (10 %) is being analysed
revision HASH of podinfo: promoted, Passed: every step passed
`, "HASH", hash), typed.out)
}

func waitsForOutcomes(b *bench) {
	b.managed()
	for i, c := range []struct {
		outcome v1beta1.Outcome
		code    int
		said    string
	}{
		{v1beta1.OutcomeRolledBack, 2, "rolled back at weight 10, Because: it was so"},
		{v1beta1.OutcomeAborted, 3, "aborted at weight 10, Because: it was so"},
		{v1beta1.OutcomeSuperseded, 4, "superseded at weight 10, Because: it was so"},
		{v1beta1.OutcomePromoted, 0, "promoted, Because: it was so"},
	} {
		hash := b.applies(fmt.Sprintf("podinfo:%d", i+2))
		waits := b.begins("status", "podinfo", "--wait")
		waits.shows("begin a run of revision " + hash)
		b.starts(hash)
		if c.outcome == v1beta1.OutcomeSuperseded {
			b.applies("podinfo:another")
		}
		b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, c.outcome, "Because", "it was so") })
		typed := waits.ends()
		assert.Equal(b, c.code, typed.code, c.outcome)
		assert.Contains(b, typed.out+typed.err, "revision "+hash+" of podinfo: "+c.said)
		if c.outcome == v1beta1.OutcomeRolledBack || c.outcome == v1beta1.OutcomeAborted {
			assert.Equal(b, c.code, b.types("status", "podinfo", "--wait").code, "asked when all was over")
		}
	}
}

// waitsForTheTemplateThatIs, and not for the run that is on: that one is about to be superseded.
func waitsForTheTemplateThatIs(b *bench) {
	b.managed()
	older := b.applies("podinfo:2")
	b.starts(older)
	newer := b.applies("podinfo:3")
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("Progressing")
	b.commits(func(st *v1beta1.CanaryStatus) {
		endsRun(st, v1beta1.OutcomeSuperseded, "NewRevision", "another took its place")
	})
	waits.shows("begin a run of revision " + newer)
	b.starts(newer)
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomeRolledBack, "CheckFailed", "too slow") })
	typed := waits.ends()
	assert.Equal(b, 2, typed.code)
	assert.Equal(b, "kubectl weir: revision "+newer+" of podinfo: rolled back at weight 10, CheckFailed: too slow\n", typed.err)
}

// waitsForARetry that somebody has ordered and Weir has not seen yet.
func waitsForARetry(b *bench) {
	b.managed()
	hash := b.applies("podinfo:2")
	b.starts(hash)
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomeRolledBack, "CheckFailed", "too slow") })
	require.Equal(b, 0, b.types("retry", "podinfo", "--no-wait").code)
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("waiting for Weir to look at the command retry")
	command, err := v1beta1.ParseCommand(b.canary().Annotations[v1beta1.CommandAnnotation])
	require.NoError(b, err)
	b.commits(func(st *v1beta1.CanaryStatus) {
		st.LastCommand = &v1beta1.CommandStatus{ID: command.ID, Accepted: true, At: metav1.NewTime(now())}
		st.Phase = v1beta1.PhaseProgressing
		st.Run = &v1beta1.RunStatus{ID: hash + "-2", StartedAt: metav1.NewTime(now())}
	})
	waits.shows("Progressing")
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomePromoted, "Passed", "every step passed") })
	assert.Equal(b, 0, waits.ends().code)
}

// waitsForALostRevision, whose run never began because somebody applied another one at once.
func waitsForALostRevision(b *bench) {
	b.managed()
	lost := b.applies("podinfo:2")
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("begin a run of revision " + lost)
	other := b.applies("podinfo:3")
	typed := waits.ends()
	assert.Equal(b, 4, typed.code)
	assert.Equal(b, fmt.Sprintf("kubectl weir: revision %s took the place of %s in %s podinfo before a run of it began\n",
		other, lost, b.kind), typed.err)
}

// waitsForTheName that the target's own controller gives the template: until then nobody can say whether it serves.
func waitsForTheName(b *bench) {
	b.managed()
	b.changes(ofImage("podinfo:2"))
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("waiting until its controller names the revision of " + b.kind + " podinfo")
	hash := b.names().Hash
	waits.shows("waiting for Weir to begin a run of revision " + hash)
	b.starts(hash)
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomePromoted, "Passed", "every step passed") })
	typed := waits.ends()
	assert.Equal(b, 0, typed.code, typed.err)
	assert.Contains(b, typed.out, "revision "+hash+" of podinfo: promoted")

	b.changes(ofImage("podinfo:3"))
	waits = b.begins("status", "podinfo", "--wait")
	waits.shows("waiting until its controller names")
	other := b.applies("podinfo:4")
	typed = waits.ends()
	assert.Equal(b, 4, typed.code)
	assert.Equal(b, "kubectl weir: revision "+other+" took the place of the template before in "+b.kind+" podinfo "+
		"before a run of it began\n", typed.err)
}

// waitsThroughADigest that Weir itself adds to the template: it is the same release.
func waitsThroughADigest(b *bench) {
	b.managed()
	hash := b.applies("podinfo:2")
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("begin a run of revision " + hash)
	b.starts(hash)
	waits.shows("step 1/2")
	digested := b.patches(`{"metadata":{"annotations":{"` + v1beta1.ConfigDigestAnnotation + `":"1"}}}`)
	require.NotEqual(b, hash, digested)
	b.commits(func(st *v1beta1.CanaryStatus) {
		endsRun(st, v1beta1.OutcomeSuperseded, "NewRevision", "its configuration changed")
	})
	b.starts(digested)
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomePromoted, "Passed", "every step passed") })
	typed := waits.ends()
	assert.Equal(b, 0, typed.code, typed.err)
	assert.Contains(b, typed.out, "revision "+digested+" of podinfo: promoted")
}

func waitsForANamedRevision(b *bench) {
	b.managed()
	first := b.applies("podinfo:2")
	b.starts(first)
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomeAborted, "Aborted", "by ann") })
	second := b.applies("podinfo:3")
	b.starts(second)

	assert.Equal(b, 3, b.types("status", "podinfo", "--wait", "--revision", first).code, "its run is over")
	waits := b.begins("status", "podinfo", "--wait", "--revision", second)
	waits.shows("step 1/2")
	b.commits(func(st *v1beta1.CanaryStatus) { endsRun(st, v1beta1.OutcomePromoted, "Passed", "every step passed") })
	assert.Equal(b, 0, waits.ends().code)
	assert.Equal(b, 0, b.types("status", "podinfo", "--wait", "--revision", second).code, "it serves")
	assert.Equal(b, 5, b.types("status", "podinfo", "--wait", "--revision", "never", "--timeout", "1s").code)
}

func waitsInVain(b *bench) {
	b.managed()
	hash := b.applies("podinfo:2")
	typed := b.types("status", "podinfo", "--wait", "--timeout", "1s")
	assert.Equal(b, 5, typed.code)
	// A machine that is busy enough sees nothing in a second.
	assert.Regexp(b, "^kubectl weir: it has not ended within 1s; the last that was seen: "+
		"(nothing|Initialized 0% waiting for Weir to begin a run of revision "+hash+")\n$", typed.err)
}

func waitsForTheDeleted(b *bench) {
	b.managed()
	b.applies("podinfo:2")
	waits := b.begins("status", "podinfo", "--wait")
	waits.shows("begin a run")
	require.NoError(b, b.weir.WeirV1beta1().Canaries(b.namespace).Delete(b.Context(), "podinfo", metav1.DeleteOptions{}))
	typed := waits.ends()
	assert.Equal(b, 1, typed.code)
	assert.Equal(b, "kubectl weir: Canary podinfo was deleted\n", typed.err)
}
