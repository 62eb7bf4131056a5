package page

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/kubernetes"

	"weir.dev/weir/pkg/rights"
)

const (
	// cookieName is where a browser keeps the token. Scripts cannot read it, and no other site can have it sent.
	cookieName = "weir-dashboard-token"
	// fresh is how long an answer of the API server is good for reading. For a command it is always asked.
	fresh = 10 * time.Second
	// mostAnswers bounds what is remembered, and mostAsked what is asked at the same time.
	mostAnswers = 4096
	mostAsked   = 16
	// longestAsk is how long an answer is waited for.
	longestAsk = 10 * time.Second
)

// visitor is who a request is from. Its zero value is anybody.
type visitor struct {
	user  authenticationv1.UserInfo
	token string
}

func (v visitor) known() bool { return v.token != "" }

// csrf is a word that only who has the token can make, the same on every replica.
func (v visitor) csrf() string {
	if !v.known() {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(v.token))
	mac.Write([]byte("weir dashboard form"))
	return hex.EncodeToString(mac.Sum(nil))
}

// access asks the API server who somebody is and what they may do, and remembers it for a moment. Of a token it keeps
// its hash.
type access struct {
	client    kubernetes.Interface
	audiences []string
	now       func() time.Time
	asking    chan struct{}

	mu      sync.Mutex
	answers map[string]answer
}

type answer struct {
	at   time.Time
	user authenticationv1.UserInfo
	yes  bool
}

func newAccess(client kubernetes.Interface, audiences []string, now func() time.Time) *access {
	return &access{client: client, audiences: audiences, now: now, asking: make(chan struct{}, mostAsked),
		answers: map[string]answer{}}
}

// tokenOf is the token that a request carries: in its header, as an authenticating proxy and a program send it, or else
// in the cookie of who has logged in.
func tokenOf(r *http.Request) string {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(token)
	}
	if cookie, err := r.Cookie(cookieName); err == nil {
		return cookie.Value
	}
	return ""
}

// visitor says who a request is from. A token that nobody has is refused, and is not taken for no token.
func (a *access) visitor(ctx context.Context, token string, now bool) (visitor, error) {
	if token == "" {
		return visitor{}, nil
	}
	found, err := a.remember(ctx, now, "token", token, func(ctx context.Context) (answer, error) {
		user, known, err := rights.WhoIs(ctx, a.client, token, a.audiences)
		return answer{user: user, yes: known && user.Username != ""}, err
	})
	switch {
	case err != nil:
		return visitor{}, err
	case !found.yes:
		return visitor{}, refusal{http.StatusUnauthorized, "The API server does not accept this token. It may have expired."}
	}
	return visitor{user: found.user, token: token}, nil
}

// may says whether a visitor has a right on Canaries; an empty namespace is all of them, an empty name all in it.
func (a *access) may(ctx context.Context, v visitor, now bool, verb, namespace, name string) (bool, error) {
	if !v.known() {
		return false, nil
	}
	found, err := a.remember(ctx, now, "right", strings.Join([]string{v.token, verb, namespace, name}, "\x00"),
		func(ctx context.Context) (answer, error) {
			yes, err := rights.May(ctx, a.client, v.user, verb, namespace, name)
			return answer{yes: yes}, err
		})
	return found.yes, err
}

// remember gives the answer that is remembered, or else asks for it.
func (a *access) remember(
	ctx context.Context, now bool, kind, question string, ask func(context.Context) (answer, error),
) (answer, error) {
	sum := sha256.Sum256([]byte(kind + "\x00" + question))
	key := string(sum[:])
	a.mu.Lock()
	known, ok := a.answers[key]
	a.mu.Unlock()
	if ok && !now && a.now().Sub(known.at) < fresh {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return answer{}, refusal{http.StatusServiceUnavailable, "Too many people ask at the moment. Try again."}
	}
	found, err := ask(ctx)
	if err != nil {
		return answer{}, err
	}
	found.at = a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.answers) >= mostAnswers {
		clear(a.answers)
	}
	a.answers[key] = found
	return found, nil
}

// reader is who asks for a page, where they may read the Canaries of a namespace, or one of them.
func (p *Page) reader(r *http.Request, namespace, name string) (visitor, error) {
	v, err := p.lister(r)
	if err != nil || p.options.AnonymousRead {
		return v, err
	}
	yes, err := p.access.may(r.Context(), v, false, "get", namespace, name)
	if err == nil && !yes {
		err = refusal{http.StatusForbidden, v.user.Username + " may not get Canary " + name + " in namespace " + namespace + "."}
	}
	return v, err
}
