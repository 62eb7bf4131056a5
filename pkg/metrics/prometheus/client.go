package prometheus

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"weir.dev/weir/pkg/metrics"
)

// client has client_golang ask by way of a metrics.Server.
type client struct {
	api.Client
	server *metrics.Server
}

// Do sends one query. It hands on the statuses that come with an answer in JSON.
func (c *client) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	res, body, err := c.server.Do(ctx, req)
	if err != nil {
		return res, nil, err // by its status, client_golang tells that it has to ask by GET
	}
	switch code := res.StatusCode; {
	case code < 300, code == http.StatusBadRequest, code == http.StatusUnprocessableEntity:
		return res, body, nil
	default:
		return res, nil, c.server.Refused(code, "")
	}
}

// trouble sorts an error of client_golang.
func (p *Provider) trouble(err error) error {
	if sorted, ok := errors.AsType[*metrics.Error](err); ok {
		return sorted
	}
	if said, ok := errors.AsType[*promv1.Error](err); ok {
		switch said.Type {
		case promv1.ErrBadData, promv1.ErrExec, promv1.ErrClient:
			return p.server.Rejects(said.Msg)
		case promv1.ErrBadResponse:
			return p.server.Unreadable()
		}
		return p.server.Fails(said.Msg)
	}
	return p.server.Unreadable()
}
