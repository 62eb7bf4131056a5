package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/clientcmd"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/words"
)

// The exit codes.
const (
	exitError      = 1
	exitRolledBack = 2
	exitAborted    = 3
	exitSuperseded = 4
	exitTimeout    = 5
)

const exitCodes = `Exit codes:
  0  done; with status --wait: the target's template serves
  1  something went wrong, or Weir refused the command
  2  status --wait: the run was rolled back
  3  status --wait: the run was aborted
  4  status --wait: the run was superseded by another revision
  5  it took longer than --timeout`

// ending is the end of a command that has an exit code of its own.
type ending struct {
	code int
	// sentence for a person, or nothing where all is said already.
	sentence string
}

// Error gives the sentence.
func (e *ending) Error() string { return e.sentence }

func end(code int, format string, args ...any) *ending {
	return &ending{code: code, sentence: fmt.Sprintf(format, args...)}
}

// exit is the exit code for an error and the sentence that tells it.
func exit(err error) (code int, sentence string) {
	var e *ending
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &e):
		return e.code, e.sentence
	}
	return exitError, plain(err)
}

// plain says in one sentence what went wrong between here and the API server.
func plain(err error) string {
	var unreached *url.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case clientcmd.IsEmptyConfig(err):
		return "no cluster is configured; set KUBECONFIG or give --kubeconfig"
	case meta.IsNoMatchError(err), unserved(err):
		return "the cluster does not know Weir's kinds; install Weir first"
	case apierrors.IsUnauthorized(err):
		return "the API server does not accept your credentials"
	case apierrors.ReasonForError(err) == "" && errors.As(err, &unreached):
		return "the API server is not reached: " + unreached.Err.Error()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// unserved says that the API server does not know the kind, and not that it does not have the object. It has no
// other way to say so than these words.
func unserved(err error) bool {
	return apierrors.IsNotFound(err) && strings.Contains(err.Error(), "could not find the requested resource")
}

// outcome is how a wait ends by the outcome of a run.
func outcome(target string, r *v1beta1.RunRecord) *ending {
	said := fmt.Sprintf("revision %s of %s: %s", r.Revision, target, words.RunEnded(r))
	switch r.Outcome {
	case v1beta1.OutcomePromoted:
		return end(0, "%s", said)
	case v1beta1.OutcomeRolledBack:
		return end(exitRolledBack, "%s", said)
	case v1beta1.OutcomeAborted:
		return end(exitAborted, "%s", said)
	case v1beta1.OutcomeSuperseded:
		return end(exitSuperseded, "%s", said)
	}
	return end(exitError, "%s", said)
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
