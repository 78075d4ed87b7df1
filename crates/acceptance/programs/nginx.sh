#!/bin/bash
# nginx: files, lists, compression, a proxy, many requests at once, a reload in between, a graceful end.
source "${0%/*}/prelude.sh"
needs nginx curl

mkdir -p conf files/list
cp "$here/nginx.conf" conf
if ((EUID == 0)); then
    sed -i '1a user root;' conf/nginx.conf
fi
for ((i = 1; i <= 200; i++)); do
    seq 1 $((i * i)) >"files/$i.txt"
    touch -d '2001-02-03 04:05:06' "files/$i.txt"
done
ln files/1.txt files/list/a.txt
touch -d '2001-02-03 04:05:06' files/list

fetch() {
    curl --silent --show-error --unix-socket socket "$@"
}

nginx -p "$PWD" -e error.log -c conf/nginx.conf &
server=$!
wait_until fetch http://here/1.txt

fetch 'http://here/[1-200].txt' | sha256sum
fetch --compressed 'http://here/[1-200].txt' | sha256sum
fetch http://here/list/
fetch 'http://here/proxy/proxy/[150-200].txt' | sha256sum
fetch -r 100-199,3000-3100 http://here/100.txt | tr -d '\r' | sed -E 's/[0-9]{20}/boundary/' | sha256sum
for url in status missing old/5.txt list; do
    fetch -o /dev/null -w "$url: %{http_code} %{size_download}\n" "http://here/$url"
done
fetch -o /dev/null -w 'upload: %{http_code}\n' --data-binary @files/200.txt http://here/upload
for round in 1 2 3; do
    for client in 1 2 3 4; do
        fetch --parallel --parallel-max 20 --compressed -o "got$client.#1" 'http://here/proxy/[1-200].txt' 2>/dev/null &
        clients[client]=$!
    done
    kill -HUP "$server"
    for client in 1 2 3 4; do
        status_of wait "${clients[client]}"
    done
    echo "round $round: $(sha256sum got*.* | cut -d" " -f1 | sort -u | wc -l) different files"
done
kill -QUIT "$server"
status_of wait "$server"
grep -E 'alert|emerg|crit|exited on signal' error.log || echo 'nothing alarming in the log'
