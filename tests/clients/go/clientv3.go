// A client on etcd's own Go library: what programs build on it, while the cluster may lose its leader.
package main

import (
	"context"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func dial(endpoints string) *clientv3.Client {
	c, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(endpoints, ","), DialTimeout: 5 * time.Second})
	must(err)
	return c
}

// Tries until it succeeds: what is tried here has the effect of once, however often.
func again(what func(ctx context.Context) error) {
	for tries := 0; ; tries++ {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := what(ctx)
		cancel()
		if err == nil {
			return
		}
		if tries > 100 {
			log.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func number(c *clientv3.Client, key string) (n int) {
	again(func(ctx context.Context) error {
		r, err := c.Get(ctx, key)
		if err == nil && len(r.Kvs) != 0 {
			n, err = strconv.Atoi(string(r.Kvs[0].Value))
		}
		return err
	})
	return n
}

// Accounts between which money moves in software transactions: the sum stays.
func accounts(c *clientv3.Client, seconds int) {
	const n, each = 10, 100
	account := func(i int) string { return fmt.Sprintf("account/%d", i) }
	for i := 0; i < n; i++ {
		again(func(ctx context.Context) error {
			_, err := c.Put(ctx, account(i), strconv.Itoa(each))
			return err
		})
	}
	var moved, failed int64
	var all sync.WaitGroup
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	for worker := 0; worker < 8; worker++ {
		all.Add(1)
		go func(seed int64) {
			defer all.Done()
			random := rand.New(rand.NewSource(seed))
			for time.Now().Before(until) {
				from, to := account(random.Intn(n)), account(random.Intn(n))
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				_, err := concurrency.NewSTM(c, func(s concurrency.STM) error {
					has, _ := strconv.Atoi(s.Get(from))
					if from == to || has < 7 {
						return nil
					}
					gets, _ := strconv.Atoi(s.Get(to))
					s.Put(from, strconv.Itoa(has-7))
					s.Put(to, strconv.Itoa(gets+7))
					return nil
				}, concurrency.WithAbortContext(ctx))
				cancel()
				if err != nil {
					atomic.AddInt64(&failed, 1)
					time.Sleep(20 * time.Millisecond)
				} else {
					atomic.AddInt64(&moved, 1)
				}
			}
		}(int64(worker))
	}
	all.Wait()
	sum := 0
	for i := 0; i < n; i++ {
		sum += number(c, account(i))
	}
	fmt.Printf("moved %d failed %d sum %d\n", moved, failed, sum)
}

// A counter that several sessions raise, one at a time, since each reads before it writes.
func counter(endpoints string, rounds int) {
	const sessions = 5
	var all sync.WaitGroup
	for i := 0; i < sessions; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			c := dial(endpoints)
			defer c.Close()
			var s *concurrency.Session
			again(func(context.Context) (err error) {
				s, err = concurrency.NewSession(c, concurrency.WithTTL(30))
				return err
			})
			m := concurrency.NewMutex(s, "counter/lock")
			for round := 0; round < rounds; round++ {
				again(func(context.Context) error { return m.Lock(context.Background()) })
				before := number(c, "counter")
				again(func(ctx context.Context) error {
					after := strconv.Itoa(before + 1)
					_, err := c.Txn(ctx).If(m.IsOwner()).Then(clientv3.OpPut("counter", after)).Commit()
					return err
				})
				again(func(ctx context.Context) error { return m.Unlock(ctx) })
			}
		}()
	}
	all.Wait()
	c := dial(endpoints)
	fmt.Printf("counted %d of %d\n", number(c, "counter"), sessions*rounds)
}

// Who leads, as seen by an observer, while each candidate resigns once.
func elections(endpoints string) {
	c := dial(endpoints)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	watcher, err := concurrency.NewSession(c)
	must(err)
	seen := concurrency.NewElection(watcher, "election").Observe(ctx)
	names := []string{"one", "two", "three"}
	first, err := concurrency.NewSession(c)
	must(err)
	e := concurrency.NewElection(first, "election")
	must(e.Campaign(ctx, names[0]))
	for _, name := range names[1:] {
		s, err := concurrency.NewSession(c)
		must(err)
		next := concurrency.NewElection(s, "election")
		won := make(chan error, 1)
		go func(name string) { won <- next.Campaign(ctx, name) }(name)
		must(e.Proclaim(ctx, "still "+name))
		must(e.Resign(ctx))
		must(<-won)
		e = next
	}
	leader, err := e.Leader(ctx)
	must(err)
	fmt.Printf("leads %s\n", leader.Kvs[0].Value)
	for value := range seen {
		fmt.Printf("seen %s\n", value.Kvs[0].Value)
		if string(value.Kvs[0].Value) == names[len(names)-1] {
			return
		}
	}
}

// A watch that misses nothing, whatever member it is on.
func watches(endpoints string, puts int) {
	c := dial(endpoints)
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(context.Background()), 2*time.Minute)
	defer cancel()
	start, err := c.Get(ctx, "w")
	must(err)
	go func() {
		for i := 0; i < puts; i++ {
			again(func(ctx context.Context) error {
				_, err := c.Put(ctx, fmt.Sprintf("w/%04d", i), "")
				return err
			})
		}
	}()
	next, from := 0, start.Header.Revision+1
	for next < puts {
		for r := range c.Watch(ctx, "w/", clientv3.WithPrefix(), clientv3.WithRev(from)) {
			if r.Err() != nil {
				break // there is no leader: it is watched anew
			}
			for _, event := range r.Events {
				from = event.Kv.ModRevision + 1
				i, err := strconv.Atoi(string(event.Kv.Key[2:]))
				must(err)
				if i > next {
					log.Fatalf("%d came where %d was due", i, next)
				}
				if i == next { // the others were put twice
					next++
				}
			}
			if next == puts {
				break
			}
		}
		must(ctx.Err())
	}
	fmt.Printf("watched %d\n", next)
}

// As many puts as there can be, of so many at a time.
func load(endpoints string, clients, seconds int) {
	const connections = 20
	var done int64
	var all sync.WaitGroup
	value := strings.Repeat("v", 256)
	until := time.Now().Add(time.Duration(seconds) * time.Second)
	for i := 0; i < connections; i++ {
		c := dial(endpoints)
		for j := 0; j < clients/connections; j++ {
			all.Add(1)
			go func(key string) {
				defer all.Done()
				for time.Now().Before(until) {
					_, err := c.Put(context.Background(), key, value)
					must(err)
					atomic.AddInt64(&done, 1)
				}
			}(fmt.Sprintf("load/%d/%d", i, j))
		}
	}
	all.Wait()
	fmt.Printf("puts %d a second %d\n", done, done/int64(seconds))
}

func main() {
	if len(os.Args) < 4 {
		log.Fatal("usage: clientv3 ENDPOINTS accounts|counter|elections|watches|load N [SECONDS]")
	}
	endpoints := os.Args[1]
	n, err := strconv.Atoi(os.Args[3])
	must(err)
	switch os.Args[2] {
	case "accounts":
		accounts(dial(endpoints), n)
	case "counter":
		counter(endpoints, n)
	case "elections":
		elections(endpoints)
	case "watches":
		watches(endpoints, n)
	case "load":
		seconds, err := strconv.Atoi(os.Args[4])
		must(err)
		load(endpoints, n, seconds)
	}
}
