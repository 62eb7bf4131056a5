package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// What an operator logs when it has a Lease, when its caches are filled, and when both is so.
	leading = "leading"
	filled  = "caches are filled"
	working = "work begins"
)

// crew are the operators, of which some run.
type crew struct {
	*stand
	binary, kubeconfig string
	// with are further flags of each.
	with []string
	// size is how many are to run; on are those that do, all also those that have ended.
	size    int
	on, all []*operator
	// lost is what those said last that have ended by themselves.
	lost []string
}

// mostLost is how many operators may end by themselves before there is nothing to measure.
const mostLost = 10

// hire builds the operator and starts as many as are wanted.
func (s *stand) hire(ctx context.Context, size int, with []string) (*crew, error) {
	c := &crew{stand: s, binary: filepath.Join(s.scratch, "weir"), size: size, with: with}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", c.binary, "./cmd/weir")
	build.Dir, build.Env = s.tree, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the operator: %w\n%s", err, said)
	}
	var err error
	if c.kubeconfig, err = s.operatorsKubeconfig(ctx); err != nil {
		return nil, err
	}
	return c, c.fill(ctx)
}

// fill starts operators until as many run as are to.
func (c *crew) fill(ctx context.Context) error {
	for len(c.on) < c.size {
		if _, err := c.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// operatorsKubeconfig is the operators', with a token of its account.
func (s *stand) operatorsKubeconfig(ctx context.Context) (string, error) {
	const day = int64(24 * 60 * 60)
	wanted := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: new(day)}}
	token, err := s.kube.CoreV1().ServiceAccounts(system).CreateToken(ctx, "weir", wanted, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for the operator's token: %w", err)
	}
	config := clientapi.NewConfig()
	config.Clusters["scale"] = &clientapi.Cluster{Server: s.config.Host, CertificateAuthority: s.config.CAFile}
	config.AuthInfos["weir"] = &clientapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["scale"] = &clientapi.Context{Cluster: "scale", AuthInfo: "weir"}
	config.CurrentContext = "scale"
	path := filepath.Join(s.scratch, "weir.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the operator's kubeconfig: %w", err)
	}
	return path, nil
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port: %w", err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("finding a free port: %s has none", listener.Addr())
	}
	return address.Port, nil
}

// leader is the one that took a Lease last, and when, if that was after a time; nil if none did.
func (c *crew) leader(after time.Time) (last *operator, since time.Time) {
	since = after
	for _, op := range c.on {
		if at, ok := op.said(leading, since); ok {
			last, since = op, at
		}
	}
	return last, since
}

// kill ends one as a machine does that loses its power, and says when.
func (c *crew) kill(op *operator) time.Time {
	at := time.Now()
	_ = op.process.Process.Kill() // it may have ended already
	<-op.gone
	c.on = slices.DeleteFunc(c.on, func(o *operator) bool { return o == op })
	return at
}

// end stops all of them.
func (c *crew) end() {
	for _, op := range c.on {
		op.end()
	}
	c.on = nil
}

// tend starts another operator for each that has ended by itself, as a cluster does. One that could not renew its Lease
// in time does, on a machine that is too busy.
func (c *crew) tend(ctx context.Context) error {
	for _, op := range slices.Clone(c.on) {
		select {
		case <-op.gone:
		default:
			continue
		}
		content, _ := os.ReadFile(op.log)
		c.lost = append(c.lost, string(content[max(0, len(content)-500):]))
		c.on = slices.DeleteFunc(c.on, func(o *operator) bool { return o == op })
	}
	if n := len(c.lost); n > mostLost {
		return fmt.Errorf("%d operators ended by themselves, the last one saying:\n%s", n, c.lost[n-1])
	}
	return c.fill(ctx)
}

// complaints are what all of them logged as a warning or an error, with how often.
func (c *crew) complaints() (map[string]int, error) {
	said := map[string]int{}
	for _, op := range c.all {
		content, err := os.ReadFile(op.log)
		if err != nil {
			return nil, fmt.Errorf("reading the operator's log: %w", err)
		}
		for line := range bytes.Lines(content) {
			var entry struct{ Level, Msg string }
			if json.Unmarshal(line, &entry) != nil {
				said[string(bytes.TrimSpace(line))]++ // a panic is not JSON
			} else if entry.Level == "WARN" || entry.Level == "ERROR" {
				said[entry.Level+" "+entry.Msg]++
			}
		}
	}
	return said, nil
}
