    mov rax, QWORD PTR [.got]
    lea rcx, [ROOT]
    add rcx, QWORD PTR fs:[rax]
    cmp rdi, 0x400
    ja allocate_slow
    lea rax, [rdi+0xf]
    shr rax, 0x4
    movzx edx, BYTE PTR [rcx+rax*1+0x200]
    mov rax, QWORD PTR [rcx+rdx*8]
    test rax, rax
    je allocate_slow
    mov rsi, QWORD PTR [rax]
    mov QWORD PTR [rcx+rdx*8], rsi
    mov QWORD PTR [rax+0x8], 0x0
    ret
