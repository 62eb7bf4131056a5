package stackdriver

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/outbound"
)

// patience is how long a token may take.
const patience = 5 * time.Second

// account gets tokens for who asks, and keeps each as long as it is good.
type account struct {
	find func(context.Context) (oauth2.TokenSource, error)
	// refused says what is wrong with who asks, where Google says that something is.
	refused string
	// reach is where a key may be taken to: it names who gives the tokens.
	reach *outbound.Reach

	mu    sync.Mutex
	found oauth2.TokenSource
}

// accountOf reads the key of a service account. No other credentials are taken from a Secret: some kinds name files
// to read and programs to run, and who may write a Secret need not be who may do that as Weir.
func accountOf(key string, reach *outbound.Reach) (*account, error) {
	config, err := google.JWTConfigFromJSON([]byte(key), scope)
	if err != nil || !isKey(config.PrivateKey) {
		return nil, metrics.Rejectedf("serviceAccountKey in the Secret is not the JSON key of a service account; make one at Google")
	}
	find := func(ctx context.Context) (oauth2.TokenSource, error) { return config.TokenSource(ctx), nil }
	return &account{find: find, refused: "Google refuses serviceAccountKey of the Secret; make a new key", reach: reach}, nil
}

func isKey(encoded []byte) bool {
	block, _ := pem.Decode(encoded)
	if block == nil {
		return false
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return true
	}
	_, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	return err == nil
}

// ambient are the credentials that Weir runs with, by Workload Identity for one.
func ambient() *account {
	find := func(ctx context.Context) (oauth2.TokenSource, error) {
		credentials, err := google.FindDefaultCredentials(ctx, scope)
		if err != nil {
			return nil, err
		}
		return credentials.TokenSource, nil
	}
	return &account{find: find, refused: "Weir runs without credentials for Google; " +
		"add serviceAccountKey to the Secret, or let Weir's ServiceAccount be one of Google's"}
}

// authorize gives the header of one request. A token that takes longer than the request may is kept for the next.
func (a *account) authorize(ctx context.Context) (string, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	done := make(chan result, 1)
	go func() {
		token, err := a.token()
		done <- result{token, err}
	}()
	select {
	case <-ctx.Done():
		return "", metrics.Transportf("Google gave no token in time")
	case r := <-done:
		if r.err != nil {
			return "", a.trouble(r.err)
		}
		return "Bearer " + r.token.AccessToken, nil
	}
}

func (a *account) token() (*oauth2.Token, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.found == nil {
		client := outbound.NewClient(nil, nil, a.reach)
		client.Timeout = patience
		found, err := a.find(context.WithValue(context.Background(), oauth2.HTTPClient, client))
		if err != nil {
			return nil, notFoundError{}
		}
		a.found = found
	}
	token, err := a.found.Token()
	if err == nil && token.AccessToken == "" {
		return nil, errors.New("an answer without a token")
	}
	return token, err
}

// notFoundError says that there are no credentials to be had.
type notFoundError struct{}

// Error gives the sentence.
func (notFoundError) Error() string { return "no credentials" }

// trouble sorts an error, without its words: they may hold what was sent.
func (a *account) trouble(err error) *metrics.Error {
	if _, ok := errors.AsType[notFoundError](err); ok {
		return metrics.Rejectedf("%s", a.refused)
	}
	said, ok := errors.AsType[*oauth2.RetrieveError](err)
	if ok && said.Response != nil && said.Response.StatusCode < 500 && said.Response.StatusCode != http.StatusTooManyRequests {
		return metrics.Rejectedf("%s (HTTP %d)", a.refused, said.Response.StatusCode)
	}
	return metrics.Transportf("Google gives no token")
}
