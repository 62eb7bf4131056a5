package rehearsal

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// Start says how the operator is started.
type Start struct {
	// Args and Env are those of its Deployment. What stands for that which only a pod has is put beside them.
	Args, Env []string
	// Way is a server before the API server, over which the operator reaches it; nil for none.
	Way *httptest.Server
	// Log gets what the operator says.
	Log io.Writer
}

// Operator is the real program, with a token of its account.
type Operator struct {
	process *exec.Cmd
	gone    chan struct{}
}

// Operate starts the operator. It goes on until End or Kill, or until this process dies.
func (s *Stage) Operate(ctx context.Context, start Start) (*Operator, error) {
	kubeconfig, err := s.kubeconfig(ctx, start.Way)
	if err != nil {
		return nil, err
	}
	args := append(append([]string{}, start.Args...),
		"--kubeconfig="+kubeconfig, "--leader-election-namespace="+System, "--port=0", "--log-format=text",
		"--refused-addresses=192.0.2.0/24", // what the Canaries are to call is on loopback here
	)
	o := &Operator{gone: make(chan struct{}), process: exec.CommandContext(context.WithoutCancel(ctx), s.program(), args...)}
	// As where an API server does not stream what there is: else nothing is listed.
	o.process.Env = append(append(os.Environ(), "KUBE_FEATURE_WatchListClient=false"), start.Env...)
	o.process.Stdout, o.process.Stderr = start.Log, start.Log
	o.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	go func() {
		defer close(o.gone)
		// The kernel ties a child's death signal to the thread that started it.
		runtime.LockOSThread()
		err := o.process.Start()
		started <- err
		if err == nil {
			_ = o.process.Wait() // that it ended is what matters, not how
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the operator: %w", err)
	}
	return o, nil
}

// kubeconfig writes one of the operator's account.
func (s *Stage) kubeconfig(ctx context.Context, way *httptest.Server) (string, error) {
	token, err := s.token(ctx, "weir")
	if err != nil {
		return "", err
	}
	cluster := &clientapi.Cluster{Server: s.Config.Host, CertificateAuthority: s.Config.CAFile}
	if way != nil {
		certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: way.Certificate().Raw})
		cluster = &clientapi.Cluster{Server: way.URL, CertificateAuthorityData: certificate}
	}
	config := clientapi.NewConfig()
	config.Clusters["test"] = cluster
	config.AuthInfos["weir"] = &clientapi.AuthInfo{Token: token}
	config.Contexts["test"] = &clientapi.Context{Cluster: "test", AuthInfo: "weir"}
	config.CurrentContext = "test"
	path := filepath.Join(s.scratch, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the operator's kubeconfig: %w", err)
	}
	return path, nil
}

// End lets the operator finish what it is at, and give its Lease back.
func (o *Operator) End() error {
	if err := o.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending the operator: %w", err)
	}
	select {
	case <-o.gone:
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("the operator does not end")
	}
}

// Kill ends it at once, unless it has ended.
func (o *Operator) Kill() {
	_ = o.process.Process.Kill()
	<-o.gone
}

// Gone is closed when it has ended.
func (o *Operator) Gone() <-chan struct{} { return o.gone }
