package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

const (
	// releasedNamespace holds the one application that is released alone, releasedName.
	releasedNamespace = "scale-released"
	releasedName      = "app-0"
	// soakNamespace holds those that are released again and again.
	soakNamespace = "soak-0"
	// crowd is how many applications share a namespace: the Deployment controller goes through all ReplicaSets
	// of a namespace at each of its looks.
	crowd = 50
	// makers is how many objects are made at a time.
	makers = 16
	// patience is how long anything may take.
	patience = 3 * time.Hour
)

// fleet is many applications that are alike. What belongs to it has a label of its name.
type fleet struct {
	*stand
	name string
	size int
	// judged says that all are to be released, and judged by a real Prometheus for as long as somebody likes.
	judged bool
	// brief says that they are released in one short step.
	brief bool
	say   func(string, ...any)
}

const fleetLabel = "fleet"

// everyone are the numbers of all applications.
func (f *fleet) everyone() []int { return first(f.size) }

// first are the first numbers.
func first(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// app is the name of an application and its namespace.
func (f *fleet) app(i int) types.NamespacedName {
	name := types.NamespacedName{Namespace: fmt.Sprintf("%s-%d", f.name, i/crowd), Name: fmt.Sprintf("app-%d", i)}
	if i == 0 && !f.brief {
		name.Namespace = releasedNamespace
	}
	return name
}

// deploy makes the applications, waits until they run, and gives each its Canary.
func (f *fleet) deploy(ctx context.Context) error {
	if err := f.makeNamespaces(ctx); err != nil {
		return err
	}
	if err := f.each(ctx, f.everyone(), f.makeApplication); err != nil {
		return err
	}
	err := f.await(ctx, "Deployments available", func() (int, error) {
		list, err := f.kube.AppsV1().Deployments("").List(ctx, f.mine())
		if err != nil {
			return 0, err
		}
		return count(list.Items, func(d appsv1.Deployment) bool { return d.Status.AvailableReplicas > 0 }), nil
	})
	if err != nil {
		return err
	}
	if f.judged {
		err = f.makeTemplates(ctx)
	} else if !f.brief {
		err = f.makeClusterTemplates(ctx)
	}
	if err != nil {
		return err
	}
	return f.each(ctx, f.everyone(), f.makeCanary)
}

// makeNamespaces waits for the accounts that pods need, too.
func (f *fleet) makeNamespaces(ctx context.Context) error {
	var names []string
	for i := range f.size {
		if name := f.app(i).Namespace; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := f.kube.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("making namespace %s: %w", name, err)
		}
	}
	for {
		list, err := f.kube.CoreV1().ServiceAccounts("").List(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("metadata.name", "default").String(),
		})
		if err != nil {
			return fmt.Errorf("waiting for accounts: %w", err)
		}
		has := func(name string) bool {
			return slices.ContainsFunc(list.Items, func(a corev1.ServiceAccount) bool { return a.Namespace == name })
		}
		if count(names, has) == len(names) {
			return nil
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for accounts: %w", err)
		}
	}
}

// each does something for applications, some at a time.
func (f *fleet) each(ctx context.Context, which []int, do func(context.Context, int) error) error {
	var mu sync.Mutex
	var failed error
	workqueue.ParallelizeUntil(ctx, makers, len(which), func(i int) {
		if err := do(ctx, which[i]); err != nil {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, fmt.Errorf("%s: %w", f.app(which[i]), err))
		}
	})
	return errors.Join(failed, context.Cause(ctx))
}

// release gives an application another template.
func (f *fleet) release(ctx context.Context, i int, image string) error {
	name := f.app(i)
	patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":%q}]}}}}`, image)
	_, err := f.kube.AppsV1().Deployments(name.Namespace).Patch(ctx, name.Name, types.StrategicMergePatchType, patch,
		metav1.PatchOptions{})
	return err
}

func (f *fleet) meta(i int) metav1.ObjectMeta {
	name := f.app(i)
	return metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name, Labels: map[string]string{fleetLabel: f.name}}
}

func (f *fleet) makeApplication(ctx context.Context, i int) error {
	name := f.app(i)
	labels := map[string]string{"app": name.Name}
	one := int32(1)
	deployment := &appsv1.Deployment{ObjectMeta: f.meta(i), Spec: appsv1.DeploymentSpec{
		Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "app:1"}}},
		},
	}}
	if _, err := f.kube.AppsV1().Deployments(name.Namespace).Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		return err
	}
	return f.makeService(ctx, i, f.meta(i))
}

// makeService makes one without an address: of tens of thousands with one, each costs the API server a tenth of a second of
// CPU time.
func (f *fleet) makeService(ctx context.Context, i int, is metav1.ObjectMeta) error {
	service := &corev1.Service{ObjectMeta: is, Spec: corev1.ServiceSpec{
		ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"app": f.app(i).Name}, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	_, err := f.kube.CoreV1().Services(is.Namespace).Create(ctx, service, metav1.CreateOptions{})
	return err
}

// makeServices makes those that the operator would make for a Canary, and will take for its own.
func (f *fleet) makeServices(ctx context.Context, i int, canary *v1beta1.Canary) error {
	names := workload.ServiceNames(canary)
	for _, name := range []string{names.Primary, names.Canary} {
		err := f.makeService(ctx, i, metav1.ObjectMeta{
			Namespace: canary.Namespace, Name: name, OwnerReferences: []metav1.OwnerReference{workload.ControlledByCanary(canary)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// await says how many of the applications are as wanted, until all are.
func (f *fleet) await(ctx context.Context, what string, are func() (int, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s did not come within %s", what, patience))
	defer cancel()
	told := -1
	for {
		n, err := are()
		switch {
		case err != nil:
			return fmt.Errorf("waiting for %s: %w", what, err)
		case n == f.size:
			f.say("%s: all %d", what, n)
			return nil
		case n/200 != told/200:
			f.say("%s: %d of %d", what, n, f.size)
			told = n
		}
		// A list of ten thousand costs the API server a second.
		if err := sleep(ctx, max(2*time.Second, time.Duration(f.size)*time.Millisecond)); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

// mine lists the fleet, and spares the API server's store.
func (f *fleet) mine() metav1.ListOptions {
	return metav1.ListOptions{ResourceVersion: "0", LabelSelector: fleetLabel + "=" + f.name}
}

func count[T any](all []T, is func(T) bool) int {
	n := 0
	for _, one := range all {
		if is(one) {
			n++
		}
	}
	return n
}

func sleep(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(long):
		return nil
	}
}
