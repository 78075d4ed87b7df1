    mov rax, QWORD PTR [.got]
    mov rcx, rdi
    sub rcx, QWORD PTR fs:[rax+0x8]
    shr rcx, 0xe
    cmp rcx, QWORD PTR fs:[rax+0x10]
    jae L2
    mov rdx, QWORD PTR fs:[rax+0x18]
    mov rsi, QWORD PTR [rdx+rcx*8]
    cmp si, WORD PTR fs:[rax+0x20]
    jne L2
    shr rsi, 0x10
    mov rax, QWORD PTR [rsi+0x10]
    cmp QWORD PTR [rdi+0x8], rax
    je free_slow
    mov QWORD PTR [rdi+0x8], rax
    mov rax, QWORD PTR [rsi]
    mov QWORD PTR [rdi], rax
    sub QWORD PTR [rsi+0x8], rdi
    mov QWORD PTR [rsi], rdi
    jbe L1
    ret
L1:
    mov rax, QWORD PTR [.got]
    lea rdi, [ROOT]
    add rdi, QWORD PTR fs:[rax]
    jmp look_after
L2:
    jmp free_slow
