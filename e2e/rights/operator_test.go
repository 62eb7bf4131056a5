package rights

import (
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// operator is the real program, with a token of its account.
type operator struct {
	process *exec.Cmd
	gone    chan struct{}
}

// operate starts it with the arguments of its Deployment, and those that stand for what a pod has.
func (g *ground) operate(t *testing.T, args, env []string) *operator {
	t.Helper()
	// A Lease that is there already would never be made.
	leases := g.kube.CoordinationV1().Leases(system)
	if err := leases.Delete(t.Context(), "weir", metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		require.NoError(t, err)
	}
	config := clientapi.NewConfig()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.rival.Certificate().Raw})
	config.Clusters["test"] = &clientapi.Cluster{Server: g.rival.URL, CertificateAuthorityData: certificate}
	config.AuthInfos["weir"] = &clientapi.AuthInfo{Token: g.token(t, "weir")}
	config.Contexts["test"] = &clientapi.Context{Cluster: "test", AuthInfo: "weir"}
	config.CurrentContext = "test"
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, kubeconfig))
	o := &operator{gone: make(chan struct{}), process: exec.Command(g.program, append(args,
		"--kubeconfig="+kubeconfig, "--leader-election-namespace="+system, "--port=0", "--log-format=text",
		"--refused-addresses=192.0.2.0/24", // what the Canaries are to call is on loopback here
	)...)}
	// As where an API server does not stream what there is: else nothing is listed.
	o.process.Env = append(append(os.Environ(), "KUBE_FEATURE_WatchListClient=false"), env...)
	o.process.Stdout = t.Output()
	o.process.Stderr = o.process.Stdout
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
	require.NoError(t, <-started)
	t.Cleanup(func() {
		_ = o.process.Process.Kill() // unless it has ended
		<-o.gone
	})
	return o
}

// end lets it finish what it is at, and give its Lease back.
func (o *operator) end(t *testing.T) {
	t.Helper()
	require.NoError(t, o.process.Process.Signal(syscall.SIGTERM))
	select {
	case <-o.gone:
	case <-time.After(30 * time.Second):
		t.Error("the operator does not end")
	}
}

// token is one of an account in the operator's namespace.
func (g *ground) token(t *testing.T, name string) string {
	t.Helper()
	wanted := &authenticationv1.TokenRequest{}
	token, err := g.kube.CoreV1().ServiceAccounts(system).CreateToken(t.Context(), name, wanted, metav1.CreateOptions{})
	require.NoError(t, err)
	return token.Status.Token
}

// as is the configuration of an account in the operator's namespace.
func (g *ground) as(t *testing.T, name string) *rest.Config {
	t.Helper()
	config := rest.AnonymousClientConfig(g.config)
	config.BearerToken = g.token(t, name)
	return config
}
