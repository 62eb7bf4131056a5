package prometheus

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"weir.dev/weir/pkg/metrics"
)

// longestAnswer is how much of an answer is read.
const longestAnswer = 4 << 20

// client sends queries with the headers of who asks, and bounds what may be answered.
type client struct {
	api.Client
	http    *http.Client
	header  http.Header
	trouble trouble
}

func httpClient(insecure bool) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: insecure}
	return &http.Client{
		Transport: transport,
		// Where a redirect leads to is not who the credentials are for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Do sends one query. It hands on the statuses that come with an answer in JSON.
func (c *client) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	req = req.Clone(ctx)
	for k, v := range c.header {
		req.Header[k] = v
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	switch code := res.StatusCode; {
	case code < 300, code == http.StatusBadRequest, code == http.StatusUnprocessableEntity:
		body, err := io.ReadAll(http.MaxBytesReader(nil, res.Body, longestAnswer))
		return res, body, err
	default:
		return res, nil, c.trouble.status(code)
	}
}

// trouble makes errors of what goes wrong with one server. They tell what is safe to tell: the server's
// own sentence on a query without the secrets in it, and never a URL.
type trouble struct {
	server  string
	secrets []string
}

func (t trouble) status(code int) *metrics.Error {
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return metrics.Rejectedf("%s refuses the credentials (HTTP %d); check the Secret of spec.provider.secretRef",
			t.server, code)
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return metrics.Transportf("%s fails (HTTP %d)", t.server, code)
	case code < 400:
		return metrics.Rejectedf("%s sends its callers elsewhere (HTTP %d); set the address that it sends them to, "+
			"unless it wants credentials", t.server, code)
	}
	return metrics.Rejectedf("%s refuses the request (HTTP %d); check the address", t.server, code)
}

func (t trouble) unreadable() *metrics.Error {
	return metrics.Transportf("%s gives an answer that cannot be read", t.server)
}

// of sorts an error of client_golang.
func (t trouble) of(err error) *metrics.Error {
	if sorted, ok := errors.AsType[*metrics.Error](err); ok {
		return sorted
	}
	if said, ok := errors.AsType[*promv1.Error](err); ok {
		switch said.Type {
		case promv1.ErrBadData, promv1.ErrExec, promv1.ErrClient:
			return metrics.Rejectedf("%s rejects the query: %s", t.server, metrics.Quote(said.Msg, t.secrets...))
		case promv1.ErrBadResponse:
			return t.unreadable()
		}
		return metrics.Transportf("%s fails: %s", t.server, metrics.Quote(said.Msg, t.secrets...))
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return metrics.Transportf("%s did not answer in time", t.server)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return metrics.Transportf("%s gives an answer of more than %d bytes; aggregate it, for example with sum()",
			t.server, longestAnswer)
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return metrics.Rejectedf("the certificate of %s is not trusted: %s", t.server, untrusted.Err)
	}
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return metrics.Transportf("%s cannot be reached: %s", t.server, cause(network))
	}
	return t.unreadable()
}

// cause is the innermost error: those around it name the ports, and the same trouble would be told in other
// words each time.
func cause(err *net.OpError) error {
	if inner, ok := errors.AsType[*net.OpError](err.Err); ok {
		return cause(inner)
	}
	return err.Err
}
