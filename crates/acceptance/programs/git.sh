#!/bin/bash
# A generated repository: hundreds of commits, branches, merges, clone, repack, gc, fsck, blame, bisect.
source "${0%/*}/prelude.sh"
needs git
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=author GIT_AUTHOR_EMAIL=author@example.invalid
export GIT_COMMITTER_NAME=committer GIT_COMMITTER_EMAIL=committer@example.invalid
seconds=1000000000

# Runs git at a date of its own.
dated() {
    seconds=$((seconds + 60))
    GIT_AUTHOR_DATE="$seconds +0000" GIT_COMMITTER_DATE="$seconds +0000" git "$@"
}

commit() {
    git add -A
    dated commit -q -m "$1"
}

git init -q -b main origin
cd origin
git config gc.auto 0
for ((i = 0; i < 150; i++)); do
    mkdir -p "d$((i % 7))"
    seq "$i" $((i + 400)) >"d$((i % 7))/f$((i % 41))"
    echo "line $i" >>log
    commit "commit $i"
    if ((i % 30 == 29)); then
        git branch "topic$i" "HEAD~10"
    fi
done
git checkout -q topic89
echo side >side
commit side
git checkout -q main
dated merge -q --no-ff -m merge topic89
dated tag -a -m tagged v1
git log --oneline | sha256sum
git log -p --stat | sha256sum
git blame log | sha256sum
git diff --stat HEAD~40 | tail -1
git rev-parse HEAD 'HEAD^{tree}'

cd ..
git clone -q --no-local origin copy
git clone -q --bare origin bare.git
cd copy
git rev-parse HEAD
git repack -q -a -d -f --depth=50 --window=50 --threads=4
git gc -q --prune=now
git fsck --full --strict
git count-objects -v | grep -E '^(count|in-pack|packs|garbage)'
git cat-file --batch-all-objects --batch-check | sha256sum
git archive HEAD | tar -tf - | sha256sum
git grep -c 'line 1' HEAD -- log
status_of git merge-base --is-ancestor HEAD HEAD~5
echo conflict >log
commit conflict
status_of git rebase -q --onto HEAD~20 HEAD~1 2>/dev/null
git status --porcelain
git rebase --abort
git bisect start HEAD HEAD~100 >/dev/null
git bisect run sh -c '! grep -q "line 120" log' 2>&1 | grep 'first bad'
git bisect reset 2>/dev/null
git stash list
git push -q ../bare.git main:pushed
git -C ../bare.git fsck --full
git -C ../bare.git rev-parse pushed
