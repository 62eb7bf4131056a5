package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
)

const contourModule = "github.com/projectcontour/contour"

func contour() recipe {
	return recipe{
		program: "contour", edition: "contour-" + contourVersion, module: "e2e/tools/contour",
		pkg:    contourModule + "/cmd/contour",
		stamps: []string{contourModule + "/internal/build.Version=" + contourVersion},
	}
}

// contourDefinitions are the CRDs of all of Contour's kinds.
func contourDefinitions(ctx context.Context) ([]byte, error) {
	tree, err := Tree(ctx)
	if err != nil {
		return nil, err
	}
	return readDefinitions(ctx, definition{
		filepath.Join(tree, contour().module), contourModule, "examples/contour/01-crds.yaml",
	})
}

// ContourDefinitions is the CRD of HTTPProxies, out of all of Contour's.
func ContourDefinitions(ctx context.Context) ([]byte, error) {
	all, err := contourDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	for document := range bytes.SplitSeq(all, []byte("\n---\n")) {
		if bytes.Contains(document, []byte("\n  name: httpproxies.projectcontour.io\n")) {
			return document, nil
		}
	}
	return nil, fmt.Errorf("finding definitions in %s: HTTPProxies are not there", contourModule)
}

// Contour is its control plane beside an API server. No proxy listens to it, but one can ask it what it would tell one.
type Contour struct {
	program, address string
}

// StartContour starts Contour, which ends with the API server.
func (s *APIServer) StartContour(ctx context.Context, progress io.Writer) (*Contour, error) {
	kitchen, err := openKitchen(newProgress(progress))
	if err != nil {
		return nil, err
	}
	if err := kitchen.ready(ctx, contour()); err != nil {
		return nil, err
	}
	kinds, err := contourDefinitions(ctx)
	if err != nil {
		return nil, err
	}
	if err := Apply(ctx, s.RESTConfig(), kinds); err != nil {
		return nil, err
	}
	const host = "127.0.0.1"
	free, err := freePorts(host, 4)
	if err != nil {
		return nil, err
	}
	c := &Contour{program: kitchen.path(contour()), address: net.JoinHostPort(host, strconv.Itoa(free[0]))}
	args := []string{"serve", "--kubeconfig=" + s.Kubeconfig, "--insecure", "--disable-leader-election"}
	for i, of := range []string{"xds", "http", "health", "debug-http"} {
		args = append(args, fmt.Sprintf("--%s-address=%s", of, host), fmt.Sprintf("--%s-port=%d", of, free[i]))
	}
	return c, s.nursed.raise(ctx, component{
		name: "contour", program: c.program, args: args,
		ready: func(ctx context.Context) error {
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
			if err != nil {
				return err
			}
			return connection.Close()
		},
	}, filepath.Join(s.dir, "contour.log"))
}

// Routes is the configuration of Envoy's routes of plain HTTP as Contour has it now, in JSON.
func (c *Contour) Routes(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// It would go on to tell every change.
	ask := exec.CommandContext(ctx, c.program, "cli", "rds", "--contour="+c.address, "ingress_http")
	out, err := ask.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("asking Contour: %w", err)
	}
	if err := ask.Start(); err != nil {
		return nil, fmt.Errorf("asking Contour: %w", err)
	}
	defer func() {
		cancel()
		_ = ask.Wait() // it was told to end
	}()
	for said := json.NewDecoder(out); ; {
		var message struct {
			Resources []json.RawMessage `json:"resources"`
		}
		if err := said.Decode(&message); err != nil {
			return nil, fmt.Errorf("reading what Contour says: %w", err)
		}
		if len(message.Resources) > 0 {
			return message.Resources[0], nil
		}
	}
}
