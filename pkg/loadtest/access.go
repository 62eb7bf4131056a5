package loadtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/gate"
	"weir.dev/weir/pkg/rights"
)

// access says who may do what.
type access struct {
	// namespaces whose Canaries are served; "*" is all.
	namespaces []string
	// keys is a folder with a file for each namespace, with the key that its calls are signed with. Without it, calls
	// need no signature.
	keys string
	// trusting lets everybody who gets here open and close gates.
	trusting bool
	// audience of tokens; without it, that of the API server.
	audience string
	client   kubernetes.Interface
}

// served refuses Canaries of other namespaces.
func (a *access) served(p gate.Payload) error {
	if slices.Contains(a.namespaces, "*") || slices.Contains(a.namespaces, p.Namespace) {
		return nil
	}
	return refuse(forbidden, "namespace %s is not served here: whoever runs the load tester adds it to --namespaces",
		p.Namespace)
}

// signed refuses a call that does not come from who has the namespace's key.
func (a *access) signed(p gate.Payload, header http.Header, body []byte) error {
	if a.keys == "" {
		return nil
	}
	key, err := os.ReadFile(filepath.Join(a.keys, p.Namespace)) // a namespace is one label, and no way to another folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the key of namespace %s: %w", p.Namespace, err)
	}
	if !gate.Genuine(header, body, string(key)) {
		return refuse(unauthorized, "the call is not signed with the key of namespace %s: give the webhook a secretRef "+
			"to a Secret with that key as its hmacKey", p.Namespace)
	}
	return nil
}

// steers tells who calls, and refuses who may not patch the Canary: the right that kubectl weir approve needs.
func (a *access) steers(ctx context.Context, p gate.Payload, header http.Header) (who string, err error) {
	if a.trusting {
		return "somebody in the trusted network", nil
	}
	token, ok := strings.CutPrefix(header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		return "", refuse(unauthorized, "to open or close a gate, send a token: --header \"Authorization: Bearer "+
			"$(kubectl create token ACCOUNT --namespace=%s%s)\"", p.Namespace, a.asAudience())
	}
	var audiences []string
	if a.audience != "" {
		audiences = []string{a.audience}
	}
	user, known, err := rights.WhoIs(ctx, a.client, token, audiences)
	switch {
	case err != nil:
		return "", err
	case !known:
		return "", refuse(unauthorized, "the token is not valid, has expired or is not for this service: make one with "+
			"kubectl create token ACCOUNT%s", a.asAudience())
	}
	allowed, err := rights.May(ctx, a.client, user, "patch", p.Namespace, p.Name)
	if err == nil && !allowed {
		err = refuse(forbidden, "%s may not patch Canary %s of namespace %s, and so may not open or close its gates",
			user.Username, p.Name, p.Namespace)
	}
	return user.Username, err
}

func (a *access) asAudience() string {
	if a.audience == "" {
		return ""
	}
	return " --audience=" + a.audience
}
