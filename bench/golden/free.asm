    mov rax, rdi
    lea rdi, [ROOT]
    mov rcx, QWORD PTR [.got]
    add rdi, QWORD PTR fs:[rcx]
    mov rdx, QWORD PTR [ROOT]
    mov rcx, rax
    sub rcx, rdx
    shr rcx, 0xe
    mov rdx, QWORD PTR [ROOT]
    cmp rcx, rdx
    jae L1
    mov rdx, QWORD PTR [ROOT]
    mov rsi, QWORD PTR [rdx+rcx*8]
    xor rsi, QWORD PTR [rdi]
    je L1
    mov rcx, rsi
    shr rcx, 0x30
    jne L1
    mov rcx, QWORD PTR [rsi+0x10]
    mov rdx, QWORD PTR [rsi+0x18]
    mov r8d, eax
    sub r8d, ecx
    imul r8, rdx
    cmp r8, rdx
    jae L1
    cmp QWORD PTR [rax+0x8], rcx
    je L1
    mov QWORD PTR [rax+0x8], rcx
    mov rcx, QWORD PTR [rsi]
    mov QWORD PTR [rax], rcx
    dec DWORD PTR [rsi+0x8]
    mov QWORD PTR [rsi], rax
    je L2
    ret
L1:
    mov rdi, rax
    jmp free_slow
L2:
    jmp free_counted_down
