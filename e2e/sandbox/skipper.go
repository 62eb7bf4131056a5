package sandbox

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	skipperPort = 9080
	// skipperSupportPort has Skipper's metrics and its routes as it understands them.
	skipperSupportPort = 9911
)

func skipper() recipe {
	return recipe{
		program: "skipper", edition: "skipper-" + skipperVersion, module: "e2e/tools/skipper",
		pkg: "github.com/zalando/skipper/cmd/skipper", stamps: []string{"main.version=" + skipperVersion},
	}
}

// skipper asks the API server every three seconds, as it does unless it is told otherwise.
func (e *edge) skipper() component {
	return component{
		name: "skipper", program: e.kitchen.path(skipper()),
		args: []string{
			"-address=" + net.JoinHostPort(e.ground.nodeIP(), strconv.Itoa(skipperPort)),
			"-support-listener=" + net.JoinHostPort(e.ground.nodeIP(), strconv.Itoa(skipperSupportPort)),
			"-kubernetes", "-kubernetes-url=" + e.creds.server, "-kubernetes-token-file=" + e.creds.file("admin.token"),
			"-kubernetes-ingress-class=^skipper$", "-enable-kubernetes-endpointslices",
			"-wait-first-route-load", "-access-log-disabled",
		},
		// Outside of a cluster it trusts whom the machine trusts.
		env: []string{"SSL_CERT_FILE=" + e.creds.file("ca.crt")},
		ready: func(ctx context.Context) error {
			return answersOK(ctx, http.DefaultClient, e.skipperURL()+"/kube-system/healthz")
		},
	}
}

func (e *edge) skipperURL() string { return url("http", e.ground.nodeIP(), skipperPort) }

const skipperClassYAML = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: skipper
spec:
  controller: zalando.org/skipper
`

// StartSkipper has Skipper serve the Ingresses of the class skipper, and gives the URL where traffic comes in. It is
// no part of a sandbox: Skipper is built when it is first asked for.
func (s *Sandbox) StartSkipper(ctx context.Context) (at string, err error) {
	if s.External {
		return "", errNotOurs("start Skipper")
	}
	if err := s.edge.kitchen.ready(ctx, skipper()); err != nil {
		return "", err
	}
	if err := Apply(ctx, s.RESTConfig(), []byte(skipperClassYAML)); err != nil {
		return "", err
	}
	return s.edge.skipperURL(), s.ensure(ctx, s.edge.skipper())
}

// StopSkipper takes it away again.
func (s *Sandbox) StopSkipper(ctx context.Context) error {
	if s.External {
		return nil
	}
	pid, err := running(s.edge.ground.dir, s.edge.skipper().name)
	if err != nil || pid == 0 {
		return err
	}
	return stop(ctx, pid, 10*time.Second)
}
